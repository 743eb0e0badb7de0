-- Renews lease $1, for a caller authorized under auth version $2 (negative: whichever) who may not write the keys of the
-- intervals [$3, $4): a lease that holds one isn't that caller's to renew. An empty end is the end of the keyspace.
--
-- Takes no write lock, only the lease's row: the deadline is tested on the row as it is once locked, so a lease whose
-- expiry is under way is either renewed before or gone.
-- Columns: revision (from before the renewal, as etcd's), compact revision, auth version, due, the TTL (null: not
-- renewed), whether the lease is there and due, whether it holds such a key.
with barred as (
  select exists (
    select from unnest($3, $4) as barred_interval (from_key, to_key)
    join :schema.kv on kv.lease = $1 and kv.lease <> 0 and kv.key >= barred_interval.from_key
      and (length(barred_interval.to_key) = 0 or kv.key < barred_interval.to_key)
  ) as holds
),
renewed as (
  update :schema.lease l set expires_at = clock_timestamp() + l.ttl * interval '1 second'
  where l.id = $1 and l.expires_at > clock_timestamp()
    and not (select barred.holds from barred)
    and ($2 < 0 or (select h.auth_version from :schema.head h) = $2)
  returning l.ttl
)
select h.revision, h.compact_revision, h.auth_version, :due, (select renewed.ttl from renewed),
       exists (select from :schema.lease l where l.id = $1 and l.expires_at <= clock_timestamp()),
       (select barred.holds from barred)
from :schema.head h
