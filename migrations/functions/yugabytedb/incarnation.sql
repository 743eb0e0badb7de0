-- incarnation() names the run of the database, for expire_leases: it changes when the node that answers has been started later
-- than any node that head remembers, and stays the same otherwise. When the whole database was down, each node has been.
--
-- YugabyteDB has neither a timeline nor a position in a log of the server's (pg_current_wal_lsn:
-- https://github.com/yugabyte/yugabyte-db/issues/30378). Only the latest start counts, since sessions lie on nodes that were
-- started at different moments; if each of them were another incarnation, no lease would ever end.
--
-- A node that is restarted alone (an upgrade node by node) counts too: a lease then lives up to one TTL longer.
--
-- Locks: none. Example: select etcd.incarnation();  ->  1795362000.123456
create or replace function :schema.incarnation() returns text
language sql stable as $$
  select greatest(h.incarnation, extract(epoch from pg_postmaster_start_time())::text) from :schema.head h
$$;

-- began_serving(known) tells since when the database has been up as another incarnation than the known one.
-- Example: select etcd.began_serving('1795362000.123456');
create or replace function :schema.began_serving(known text) returns timestamptz
language sql volatile as $$
  select pg_postmaster_start_time()
$$;
