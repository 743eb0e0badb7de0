-- Raises alarm $1 of member $2, for a caller authorized under auth version $3 (negative: whichever); nothing happens when
-- it is raised already. Takes no write lock: it is no revision.
-- Columns: revision, compact revision, auth version, due.
with raised as (
  insert into :schema.alarm (alarm, member_id)
  select $1, $2 from :schema.head h where $3 < 0 or h.auth_version = $3
  on conflict do nothing
)
select h.revision, h.compact_revision, h.auth_version, :due from :schema.head h
