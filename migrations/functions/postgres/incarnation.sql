-- incarnation() names the run of the database: it changes when PostgreSQL was restarted, or a standby was promoted
-- (a new timeline), and stays the same otherwise.
--
-- Why: leases live on the database's clock, and nobody can renew one while the database is away. When a lease falls due
-- and the incarnation is not the one that head remembers, expire_leases gives the leases from before their full TTL
-- again, as etcd does on a new leader, counted from began_serving().
--
-- A database that sleeps when idle (Neon) counts as restarted when it wakes: a lease then lives up to one TTL longer.
--
-- Locks: none. Example: select etcd.incarnation();  ->  1795362000.123456/1
create or replace function :schema.incarnation() returns text
language sql stable as $$
  select extract(epoch from pg_postmaster_start_time())::text
         || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
$$;

-- began_serving(known) tells since when the database has been up as another incarnation than the known one. After a restart
-- that is the start of the server. A promoted standby doesn't say when it was promoted: then it is now.
-- Example: select etcd.began_serving('1795362000.123456/00000001');
create or replace function :schema.began_serving(known text) returns timestamptz
language sql volatile as $$
  select case when split_part(known, '/', 2) = split_part(:schema.incarnation(), '/', 2)
              then pg_postmaster_start_time() else clock_timestamp() end
$$;
