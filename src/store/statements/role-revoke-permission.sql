-- Takes the permissions on [$3, $4) from role $2 ($1: the known auth version); see migrations/functions/auth_role.sql.
select failure, revision from :schema.auth_role_revoke_permission($1, $2, $3, $4)
