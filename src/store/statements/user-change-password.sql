-- Gives user $1 a new password: scheme, hash, salt, iterations; see migrations/functions/auth_user.sql.
select failure, revision from :schema.auth_user_change_password($1, $2, $3, $4, $5)
