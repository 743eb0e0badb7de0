-- Gives user $2 the role $3 ($1: the known auth version); see migrations/functions/auth_user.sql.
select failure, revision from :schema.auth_user_grant_role($1, $2, $3)
