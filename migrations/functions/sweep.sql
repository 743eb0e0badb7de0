-- sweep(row_limit) removes a batch of log rows that compaction has made unreachable, and tells whether more is left.
--
-- It walks the log once, from where the last sweep ended to the compacted revision. For each row it looks at, the row
-- that one superseded goes (a pointer, no search by key), and the row itself when it is a tombstone below the compacted
-- revision; a tombstone exactly at it stays until the next compaction, as in etcd 3.6.
--
-- Restartable at any point: position and deletes commit together. Locks: the sweep row (compactors take turns; waiting
-- costs the second nothing but time) and the dead log rows, which nobody else wants. Never the write lock.
--
-- Example, the life in 0001_store.sql compacted at 4: rows 2, 3 and 4 are looked at; 3 names 2 and 4 names 3 as
-- superseded, both go; the tombstone 4 stays.  select etcd.sweep(1000);  ->  false
create or replace function :schema.sweep(row_limit int) returns boolean
language plpgsql volatile as $$
declare
  done_revision bigint;
  done_sub      int;
  goal          bigint;
  looked_at     int;
begin
  select s.revision, s.sub into done_revision, done_sub from :schema.sweep s for update;
  select h.compact_revision into goal from :schema.head h;
  if done_revision > goal then
    return false;
  end if;
  if done_revision = goal then
    -- The goal's own revision may be larger than a batch.
    if not exists (select from :schema.log l where l.mod_revision = goal and l.sub > done_sub) then
      return false;
    end if;
  end if;
  if done_revision < goal then
    -- Tombstones that lay exactly at the last compacted revision.
    delete from :schema.log l where l.mod_revision = done_revision and l.deleted and l.sub <= done_sub;
  end if;
  with looked as materialized (
    select l.mod_revision, l.sub, l.prev_revision, l.prev_sub, l.deleted
    from :schema.log l
    where (l.mod_revision, l.sub) > (done_revision, done_sub) and l.mod_revision <= goal
    order by l.mod_revision, l.sub limit row_limit
  ),
  superseded as (
    delete from :schema.log l using looked w
    where l.mod_revision = w.prev_revision and l.sub = w.prev_sub
  ),
  forgotten as (
    delete from :schema.log l using looked w
    where w.deleted and w.mod_revision < goal and l.mod_revision = w.mod_revision and l.sub = w.sub
  )
  select count(*), (array_agg(w.mod_revision order by w.mod_revision desc, w.sub desc))[1],
         (array_agg(w.sub order by w.mod_revision desc, w.sub desc))[1]
    into looked_at, done_revision, done_sub from looked w;
  if looked_at < row_limit then
    update :schema.sweep set revision = goal,
      sub = coalesce((select max(l.sub) from :schema.log l where l.mod_revision = goal), 0);
    return false;
  end if;
  update :schema.sweep set revision = done_revision, sub = done_sub;
  return true;
end $$;
