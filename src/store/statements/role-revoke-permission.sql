-- Takes the permissions on [$2, $3) from role $1; see migrations/functions/auth_role.sql.
select failure, revision from :schema.auth_role_revoke_permission($1, $2, $3)
