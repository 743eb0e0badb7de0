-- Takes the role $2 from user $1; see migrations/functions/auth_user.sql.
select failure, revision from :schema.auth_user_revoke_role($1, $2)
