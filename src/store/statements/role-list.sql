-- The names of all roles, sorted; one row with null when there are none. One snapshot; locks: none.
select h.revision, h.compact_revision, h.auth_version, :due, r.name
from :schema.head h left join :schema.auth_role r on true
order by r.name
