-- Gives role $2 the permission of type $3 on [$4, $5) ($1: the known auth version); see
-- migrations/functions/auth_role.sql.
select failure, revision from :schema.auth_role_grant_permission($1, $2, $3, $4, $5)
