-- Takes the role $3 from user $2 ($1: the known auth version); see migrations/functions/auth_user.sql.
select failure, revision from :schema.auth_user_revoke_role($1, $2, $3)
