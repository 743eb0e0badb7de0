-- Deletes user $1; see migrations/functions/auth_user.sql.
select failure, revision from :schema.auth_user_delete($1)
