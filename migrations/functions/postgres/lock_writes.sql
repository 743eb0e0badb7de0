-- lock_writes() takes the store's write lock until the transaction ends: one writer at a time, in the order of arrival.
--
-- This folder holds what another engine does otherwise. On PostgreSQL the lock is on a table that is always empty: it
-- queues fairly, where a lock on the head row lets every waiter race for each new version of it (with 64 connections half
-- the throughput and three times the 99th percentile). An engine without table locks locks the head row.
--
-- Must be a statement of its own, and the first: what reads in the statement that waits sees the past.
-- Locks: write_lock. Example: perform etcd.lock_writes();
create or replace function :schema.lock_writes() returns void
language plpgsql volatile as $$
begin
  lock table :schema.write_lock in share row exclusive mode;
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'edgetcd writes need READ COMMITTED, this session has %', current_setting('transaction_isolation')
      using hint = 'remove default_transaction_isolation from the role or the database';
  end if;
end $$;
