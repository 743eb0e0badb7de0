-- Notes that a run of the scheduled trigger began now. Takes no write lock: it is no revision. Locks: the one row.
update :schema.scheduled_run set began_at = clock_timestamp()
