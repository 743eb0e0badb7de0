-- How large the store is, and the alarms that are raised. One snapshot but for the sizes, which are the files'. Locks: none.
-- Head row: revision, compact revision, auth version, due, bytes of all tables with their indexes, and how much of that
-- is in use (store_size.sql); the revision that what is compacted has been removed up to; of the scheduled trigger's runs when one last
-- began, ended and succeeded, in milliseconds of the epoch (null: never), and the steps that failed. Alarm rows: nulls,
-- then kind and member.
with size as materialized (
  select z.bytes, z.in_use from :schema.store_size() z
)
select h.revision, h.compact_revision, h.auth_version, :due,
       (select s.bytes from size s), (select s.in_use from size s),
       (select w.revision from :schema.sweep w),
       floor(extract(epoch from r.began_at) * 1000)::bigint, floor(extract(epoch from r.ended_at) * 1000)::bigint,
       floor(extract(epoch from r.succeeded_at) * 1000)::bigint, r.failed_steps, null::int, null::bigint
from :schema.head h, :schema.scheduled_run r
union all
(select null, null, null, null, null, null, null, null, null, null, null, a.alarm, a.member_id from :schema.alarm a order by a.alarm, a.member_id)
