-- lock_writes() takes the store's write lock until the transaction ends: one writer at a time.
--
-- On YugabyteDB the lock is the head row. It isn't locked only, but changed, by every writer, also by one that makes no
-- revision (a lease without keys is revoked). Why: where READ COMMITTED isn't in effect, it means snapshot isolation
-- (https://docs.yugabyte.com/stable/architecture/transactions/read-committed/#usage), and whoever waited here goes on with
-- the snapshot from before its wait. A row that was changed meanwhile makes it fail, with 40001, and it is run anew; a row
-- that was only locked would let it through to write upon what it can't see. Under READ COMMITTED it sees what is.
--
-- Must be a statement of its own, and the first: what reads in the statement that waits sees the past.
-- Locks: the head row. Example: perform etcd.lock_writes();
create or replace function :schema.lock_writes() returns void
language plpgsql volatile as $$
begin
  update :schema.head set turn = turn + 1;
  -- Parallel workers miss some of what the transaction itself has written:
  -- https://github.com/yugabyte/yugabyte-db/issues/33195, https://github.com/yugabyte/yugabyte-db/issues/33196
  perform set_config('max_parallel_workers_per_gather', '0', true);
end $$;
