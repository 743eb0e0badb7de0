-- Grants lease $1 for $2 seconds. Takes no write lock: a grant is no revision.
-- Columns: revision, compact revision, auth revision, due, whether it was granted, and whether a lease of that id, when
-- there was one, is due (then it is to be ended first).
with granted as (
  insert into :schema.lease (id, ttl, expires_at)
  values ($1, $2, clock_timestamp() + $2 * interval '1 second')
  on conflict do nothing returning id
)
select h.revision, h.compact_revision, h.auth_revision, :due, exists (select from granted),
       exists (select from :schema.lease l where l.id = $1 and l.expires_at <= clock_timestamp())
from :schema.head h
