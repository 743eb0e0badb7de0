-- range.sql with a limit: at most $limit + 1 keys (the one more tells that there are more), and the number of all keys in
-- the interval as the head row's seventh column, counted only when the limit cut something off.
with page as materialized (
  select kv.key, kv.create_revision, kv.mod_revision, kv.version, kv.lease, :value as value
  from :schema.kv where :interval order by kv.key limit :limit + 1
)
select null::bytea, h.revision, h.compact_revision, h.auth_version, :due, null::bytea,
       case when (select count(*) from page) > :limit then (select count(*) from :schema.kv where :interval) end
from :schema.head h
union all
select page.*, null::bigint from page
