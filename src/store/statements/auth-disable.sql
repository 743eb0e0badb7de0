-- Switches authentication off, for a caller authorized under auth version $1; see migrations/functions/auth_switch.sql.
select failure, revision from :schema.auth_disable($1)
