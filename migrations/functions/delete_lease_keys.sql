-- delete_lease_keys(lease_id, at_revision) deletes the keys that a lease holds, in key order, as the changes of
-- at_revision, and gives back how many there were (0: at_revision was not used).
--
-- Called under the write lock by the lease ends: expiry and revoke.
-- Locks: the kv rows it deletes.
--
-- Example: lease 7 holds b and a:  select etcd.delete_lease_keys(7, 42);  ->  2
--   log (42,0): tombstone of a; log (42,1): tombstone of b.
create or replace function :schema.delete_lease_keys(lease_id bigint, at_revision bigint) returns bigint
language plpgsql volatile as $$
declare
  deleted_count bigint;
begin
  with gone as (
    delete from :schema.kv where kv.lease = lease_id and kv.lease <> 0 returning kv.*
  )
  insert into :schema.log (mod_revision, create_revision, version, lease, prev_revision, sub, prev_sub, create_sub, deleted, key)
  select at_revision, g.create_revision, 0, 0, g.mod_revision,
         (row_number() over (order by g.key))::int - 1, g.sub, g.create_sub, true, g.key
  from gone g;
  get diagnostics deleted_count = row_count;
  return deleted_count;
end $$;
