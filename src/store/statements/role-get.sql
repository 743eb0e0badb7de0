-- The permissions of role $1, a row each: by key, those of one key in the order in which they were granted; one row
-- with nulls when there are none. One snapshot; locks: none.
-- Columns: revision, compact revision, auth version, due, whether the role exists, type, key, range end.
select h.revision, h.compact_revision, h.auth_version, :due, r.name is not null, p.type, p.key, p.range_end
from :schema.head h
left join :schema.auth_role r on r.name = $1
left join :schema.auth_permission p on p.role = r.name
order by p.key, p.granted_at
