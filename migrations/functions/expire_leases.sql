-- expire_leases(revision, lease_limit) ends the leases that are due, each lease with keys as one revision of its own that
-- deletes its keys in key order, and gives back the store's revision afterwards.
--
-- Called by apply() under the write lock, before the first request of a batch; never on its own.
-- Locks: the rows of the due leases, by ascending id. The deadline is tested again on the row as it is once locked,
-- so a lease that was renewed while this waited survives. At most lease_limit leases a call: the rest is due the next time.
--
-- Example: lease 7 (due) holds a and b, lease 9 (due) holds nothing, the store stands at 41:
--   select etcd.expire_leases(41, 256);  ->  42; a and b are deleted as (42,0) and (42,1); leases 7 and 9 are gone.
create or replace function :schema.expire_leases(revision bigint, lease_limit int) returns bigint
language plpgsql volatile as $$
declare
  moment   timestamptz := clock_timestamp();
  run      text := :schema.incarnation();
  known    text := (select h.incarnation from :schema.head h);
  due      bigint;
begin
  if known <> run then
    update :schema.head h set incarnation = run;
    if known <> '' then  -- '': the store is new, and no lease of it ever fell due
      -- The database was away: nobody could renew. Leases from before live at least one TTL from its return, as on a new
      -- etcd leader; one that was granted or renewed since then ends later anyway, and stays as it is.
      update :schema.lease l set expires_at = began + l.ttl * interval '1 second'
        from :schema.began_serving(known) began
        where l.expires_at < began + l.ttl * interval '1 second';
    end if;
  end if;
  for due in
    select l.id from :schema.lease l where l.expires_at <= moment order by l.id limit lease_limit for update
  loop
    delete from :schema.lease l where l.id = due;
    if :schema.delete_lease_keys(due, revision + 1) > 0 then
      revision := revision + 1;
    end if;
  end loop;
  return revision;
end $$;
