-- Gives role $1 the permission of type $2 on [$3, $4); see migrations/functions/auth_role.sql.
select failure, revision from :schema.auth_role_grant_permission($1, $2, $3, $4)
