-- incarnation() names the run of the database: it changes when PostgreSQL was restarted, or a standby was promoted
-- (a new timeline), and stays the same otherwise.
--
-- Why: leases live on the database's clock, and nobody can renew one while the database is away. When a lease falls
-- due and the incarnation is not the one that head remembers, expire_leases gives every lease its full TTL again, as
-- etcd does on a new leader, instead of ending it.
--
-- A database that sleeps when idle (Neon) counts as restarted when it wakes: a lease then lives up to one TTL longer.
--
-- Locks: none. Example: select etcd.incarnation();  ->  1795362000.123456/1
create or replace function :schema.incarnation() returns text
language sql stable as $$
  select extract(epoch from pg_postmaster_start_time())::text
         || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
$$;
