-- How large the store is, and the alarms that are raised. One snapshot but for the sizes, which are the files'. Locks: none.
-- Head row: revision, compact revision, auth version, due, bytes of all tables with their indexes, and how much of that
-- is in use; the revision that what is compacted has been removed up to; of the scheduled trigger's runs when one last
-- began, ended and succeeded, in milliseconds of the epoch (null: never), and the steps that failed. Alarm rows: nulls,
-- then kind and member.
--
-- In use is an estimate: of each table the share of its live rows, as PostgreSQL's statistics count them. The rest waits
-- for vacuum, or is free for the next rows.
with sizes as (
  select pg_total_relation_size(c.oid) as bytes, s.n_live_tup::numeric as live, s.n_dead_tup::numeric as dead
  from pg_class c join pg_stat_all_tables s on s.relid = c.oid
  where c.relkind = 'r'
    and c.relnamespace = (select o.relnamespace from pg_class o join :schema.head h on o.oid = h.tableoid)
)
select h.revision, h.compact_revision, h.auth_version, :due,
       (select sum(s.bytes)::bigint from sizes s),
       (select sum(case when s.dead = 0 then s.bytes else s.bytes * s.live / (s.live + s.dead) end)::bigint from sizes s),
       (select w.revision from :schema.sweep w),
       floor(extract(epoch from r.began_at) * 1000)::bigint, floor(extract(epoch from r.ended_at) * 1000)::bigint,
       floor(extract(epoch from r.succeeded_at) * 1000)::bigint, r.failed_steps, null::int, null::bigint
from :schema.head h, :schema.scheduled_run r
union all
(select null, null, null, null, null, null, null, null, null, null, null, a.alarm, a.member_id from :schema.alarm a order by a.alarm, a.member_id)
