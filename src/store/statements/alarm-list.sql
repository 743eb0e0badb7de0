-- The alarms that are raised: of kind $1, or all when that is 0. One snapshot; locks: none.
-- Head row: revision, compact revision, auth version, due. Alarm rows: nulls, then kind and member.
select h.revision, h.compact_revision, h.auth_version, :due, null::int, null::bigint from :schema.head h
union all
(select null, null, null, null, a.alarm, a.member_id from :schema.alarm a where $1 = 0 or a.alarm = $1 order by a.alarm, a.member_id)
