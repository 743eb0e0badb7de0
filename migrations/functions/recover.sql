-- recover(bump) moves the store's revision forward by bump and marks everything up to there as compacted, so that no
-- position or revision from before is accepted any more. For use after a restore, or after a failover that may have
-- lost commits: clients then hold revisions that the store will give out again for other changes.
--
-- As etcdutl snapshot restore --bump-revision --mark-compacted. The keys stay; each raft_term rises, which tells
-- clients that this is not the store of before. Gives the new revision.
-- Locks: write_lock, the head row.
--
-- Example, store restored at 41:  select etcd.recover(1000000)  ->  1000041; reads below it are refused as compacted.
create or replace function :schema.recover(bump bigint) returns bigint
language plpgsql volatile as $$
declare
  now_rev bigint;
begin
  perform :schema.lock_writes();
  if bump < 1 then
    raise exception 'the revision can only be moved forward, by 1 or more';
  end if;
  update :schema.head h set revision = h.revision + bump, compact_revision = h.revision + bump,
    incarnation = :schema.incarnation()
    returning h.revision into now_rev;
  update :schema.cluster set raft_term = raft_term + 1;
  return now_rev;
end $$;
