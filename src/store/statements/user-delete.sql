-- Deletes user $2 ($1: the known auth version); see migrations/functions/auth_user.sql.
select failure, revision from :schema.auth_user_delete($1, $2)
