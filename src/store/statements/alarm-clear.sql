-- Clears alarm $1 of member $2. Takes no write lock: it is no revision.
-- Columns: revision, compact revision, auth revision, whether it was raised.
with cleared as (
  delete from :schema.alarm a where a.alarm = $1 and a.member_id = $2 returning a.alarm
)
select h.revision, h.compact_revision, h.auth_revision, exists (select from cleared) from :schema.head h
