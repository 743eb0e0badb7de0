-- All leases, the one with the least time left first, as etcd lists them, for a caller who may not read the keys of the
-- intervals [$1, $2) (an empty end is the end of the keyspace). One snapshot; locks: none.
-- Head row: revision, compact revision, auth version, due, whether some lease holds such a key. Lease rows: nulls and the id.
select h.revision, h.compact_revision, h.auth_version, :due,
       exists (
         -- From the keys that have a lease: how many others lie in the intervals must not matter.
         select from (select kv.key from :schema.kv where kv.lease <> 0 offset 0) leased
         join unnest($1, $2) as barred_interval (from_key, to_key) on leased.key >= barred_interval.from_key
           and (length(barred_interval.to_key) = 0 or leased.key < barred_interval.to_key)
       ),
       null::bigint
from :schema.head h
union all
(select null, null, null, null, null, l.id from :schema.lease l order by l.expires_at, l.id)
