-- The names of all users, sorted; one row with null when there are none. One snapshot; locks: none.
select h.revision, h.compact_revision, h.auth_version, :due, u.name
from :schema.head h left join :schema.auth_user u on true
order by u.name
