-- What user $1 may do (null: nobody), and how callers prove who they are. One snapshot; locks: none.
-- Columns: revision, compact revision, auth version, due, whether authentication is on, auth revision, signing key, the
-- version of the user's password (null: no such user), then one of the user's roles with one of its permissions: role,
-- type, key, range end. A row each; nulls where there is none.
select h.revision, h.compact_revision, h.auth_version, :due, a.enabled, a.revision, a.signing_key,
       u.password_version, r.name, p.type, p.key, p.range_end
from :schema.head h cross join :schema.auth a
left join :schema.auth_user u on u.name = $1
left join lateral unnest(u.roles) r (name) on true
left join :schema.auth_permission p on p.role = r.name
