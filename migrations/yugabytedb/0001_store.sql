-- How YugabyteDB keeps the tables of 0001_store.sql, and their indexes. docs/yugabytedb.md has its documentation's pages for
-- each choice. Statement by statement, each its own transaction; run again from the start when one failed.
--
-- `asc` shards an index by ranges, where the default is by a hash: scans come in order from few tablets. `include` puts the
-- columns into the index that are read by it, so that the node which has the index entry answers alone.
-- https://docs.yugabyte.com/stable/explore/going-beyond-sql/data-sharding/
-- https://docs.yugabyte.com/stable/explore/ysql-language-features/indexes-constraints/covering-index-ysql/
--
-- `nonconcurrently`: the default builds an index in steps, each its own transaction, and where it is cut off between them, the
-- index stays, never to be used, while `if not exists` takes it for done. Nobody writes to these tables yet.
-- https://docs.yugabyte.com/stable/api/ysql/the-sql-language/statements/ddl_create_index/#nonconcurrently

-- What each holder of the write lock changes (functions/yugabytedb/lock_writes.sql).
alter table :schema.head add column if not exists turn bigint not null default 0;

create index nonconcurrently if not exists kv_lease on :schema.kv (lease asc, key asc) where lease <> 0;

-- The states of one life, by time: what reading the past needs. Values lie in the log alone.
create index nonconcurrently if not exists log_life on :schema.log (create_revision asc, create_sub asc, mod_revision asc)
  include (version, lease);
-- The lives that ended, by key: reading the past must find keys that the present has no row of.
create index nonconcurrently if not exists log_tombstone on :schema.log (key asc, mod_revision asc)
  include (create_revision, create_sub) where deleted;

create index nonconcurrently if not exists lease_expires_at on :schema.lease (expires_at asc) include (id);
