-- One batch of removing what compaction made unreachable; see migrations/functions/sweep.sql.
select :schema.sweep($1)
