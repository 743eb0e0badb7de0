-- A batch of writes; see migrations/functions/apply.sql.
select * from :schema.apply($1, $2, $3, $4, $5, $6, $7, $8)
