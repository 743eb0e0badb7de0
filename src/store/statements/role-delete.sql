-- Deletes role $1; see migrations/functions/auth_role.sql.
select failure, revision from :schema.auth_role_delete($1)
