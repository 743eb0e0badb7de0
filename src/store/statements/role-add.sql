-- Adds role $2 ($1: the known auth version); see migrations/functions/auth_role.sql.
select failure, revision from :schema.auth_role_add($1, $2)
