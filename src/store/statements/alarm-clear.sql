-- Clears alarm $1 of member $2, for a caller authorized under auth version $3 (negative: whichever). Takes no write lock:
-- it is no revision.
-- Columns: revision, compact revision, auth version, due, whether it was raised.
with cleared as (
  delete from :schema.alarm a using :schema.head h
  where a.alarm = $1 and a.member_id = $2 and ($3 < 0 or h.auth_version = $3) returning a.alarm
)
select h.revision, h.compact_revision, h.auth_version, :due, exists (select from cleared) from :schema.head h
