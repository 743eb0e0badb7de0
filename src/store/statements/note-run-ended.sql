-- Notes that a run of the scheduled trigger ended now, and the steps of it that failed ($1; empty: none). Takes no write
-- lock: it is no revision. Locks: the one row.
update :schema.scheduled_run r
set ended_at = clock_timestamp(), failed_steps = $1,
    succeeded_at = case when $1 = '' then clock_timestamp() else r.succeeded_at end
