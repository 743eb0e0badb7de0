-- What is kept of user $1's password, and how a token for it is signed. One snapshot; locks: none.
-- Columns: revision, compact revision, auth version, due, whether authentication is on, signing key, the version of the
-- password (null: no such user), whether the user has none for good, scheme, hash, salt, iterations.
select h.revision, h.compact_revision, h.auth_version, :due, a.enabled, a.signing_key,
       u.password_version, u.no_password, u.password_scheme, u.password_hash, u.password_salt, u.password_iterations
from :schema.head h cross join :schema.auth a
left join :schema.auth_user u on u.name = $1
