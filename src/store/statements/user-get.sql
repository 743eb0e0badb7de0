-- The roles of user $1, a row each, sorted by name; one row with null when there are none.
-- One snapshot; locks: none.
-- Columns: revision, compact revision, auth version, due, whether the user exists, a role.
select h.revision, h.compact_revision, h.auth_version, :due, u.name is not null, r.name
from :schema.head h
left join :schema.auth_user u on u.name = $1
left join lateral unnest(u.roles) with ordinality r (name, place) on true
order by r.place
