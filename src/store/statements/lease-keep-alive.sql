-- Renews lease $1. Takes no write lock, only the lease's row: the deadline is tested on the row as it is once locked, so
-- a lease whose expiry is under way is either renewed before or gone.
-- Columns: revision (from before the renewal, as etcd's), compact revision, auth revision, due, the TTL (null: no such
-- lease, or due), whether the lease is there and due.
with renewed as (
  update :schema.lease l set expires_at = clock_timestamp() + l.ttl * interval '1 second'
  where l.id = $1 and l.expires_at > clock_timestamp() returning l.ttl
)
select h.revision, h.compact_revision, h.auth_revision, :due, (select renewed.ttl from renewed),
       exists (select from :schema.lease l where l.id = $1 and l.expires_at <= clock_timestamp())
from :schema.head h
