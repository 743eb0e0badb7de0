-- How PostgreSQL keeps the tables of 0001_store.sql, and their indexes.

-- Never holds a row: writers queue for a lock on it. A lock on a row would do too, but isn't a fair queue.
create table :schema.write_lock ();

-- One update a batch and a low fillfactor keep the row on one page.
alter table :schema.head set (fillfactor = 10);

-- Half of each page is left free: a batch may overwrite every key of a page, and then the new states find room beside
-- the old ones. With less, overwritten keys move to other pages, and reading them all touches more and more.
alter table :schema.kv set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
create index kv_lease on :schema.kv (lease, key) where lease <> 0;

alter table :schema.log set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
-- The states of one life, by time: what reading the past needs. Half the size of an index by key.
create index log_life on :schema.log (create_revision, create_sub, mod_revision);
-- The lives that ended, by key: reading the past must find keys that the present has no row of.
create index log_tombstone on :schema.log (key, mod_revision) where deleted;

-- Large values: lz4 costs less than half of pglz's CPU, but not every build of the server has it.
do $$ begin
  alter table :schema.log alter value set compression lz4;
exception when feature_not_supported or invalid_parameter_value then null;
end $$;

create index lease_expires_at on :schema.lease (expires_at);

-- Until it is told otherwise, the planner thinks that each of these has a thousand rows, their joins a billion, and that
-- such a query is worth being compiled (jit), which takes half a second.
analyze :schema.head;
analyze :schema.sweep;
analyze :schema.scheduled_run;
analyze :schema.auth;
analyze :schema.cluster;
