-- Grants lease $1 for $2 seconds, for a caller authorized under auth version $3 (negative: whichever). Takes no write
-- lock: a grant is no revision.
-- Columns: revision, compact revision, auth version, due, whether it was granted, whether a lease of that id, when there
-- was one, is due (then it is to be ended first), and the alarm that refuses it (2 CORRUPT before 1 NOSPACE, or null).
with refused as (
  select max(a.alarm) as alarm from :schema.alarm a where a.alarm in (1, 2)
),
granted as (
  insert into :schema.lease (id, ttl, expires_at)
  select $1, $2, clock_timestamp() + $2 * interval '1 second' from refused, :schema.head h
  where refused.alarm is null and ($3 < 0 or h.auth_version = $3)
  on conflict do nothing returning id
)
select h.revision, h.compact_revision, h.auth_version, :due, exists (select from granted),
       exists (select from :schema.lease l where l.id = $1 and l.expires_at <= clock_timestamp()),
       (select refused.alarm from refused)
from :schema.head h
