-- Adds user $2: no password ever, scheme, hash, salt, iterations ($1: the known auth version); see
-- migrations/functions/auth_user.sql.
select failure, revision from :schema.auth_user_add($1, $2, $3, $4, $5, $6, $7)
