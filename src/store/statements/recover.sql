-- Moves the store's revision forward after a restore; see migrations/functions/recover.sql.
select :schema.recover($1)
