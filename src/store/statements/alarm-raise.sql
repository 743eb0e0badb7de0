-- Raises alarm $1 of member $2; nothing happens when it is raised already. Takes no write lock: it is no revision.
-- Columns: revision, compact revision, auth revision.
with raised as (
  insert into :schema.alarm (alarm, member_id) values ($1, $2) on conflict do nothing
)
select h.revision, h.compact_revision, h.auth_revision from :schema.head h
