-- Gives user $1 the role $2; see migrations/functions/auth_user.sql.
select failure, revision from :schema.auth_user_grant_role($1, $2)
