-- delete_range(from_key, to_key, at_revision, first_sub) deletes the keys of an interval (as range_at) in key order as the
-- changes (at_revision, first_sub), (at_revision, first_sub + 1), ..., and gives back how many there were.
--
-- Called under the write lock by apply(). Locks: the kv rows it deletes.
-- Three texts, because an open or single-key interval as a condition on a parameter would cost the index bound.
--
-- Example: delete_range('a', 'c', 42, 1) with a and b alive  ->  2; tombstones (42,1) of a and (42,2) of b
create or replace function :schema.delete_range(from_key bytea, to_key bytea, at_revision bigint, first_sub int) returns bigint
language plpgsql volatile as $$
declare
  deleted_count bigint;
begin
  if to_key is null then
    with gone as (delete from :schema.kv where kv.key = from_key returning kv.*)
    insert into :schema.log (mod_revision, create_revision, version, lease, prev_revision, sub, prev_sub, create_sub, deleted, key)
    select at_revision, g.create_revision, 0, 0, g.mod_revision, first_sub, g.sub, g.create_sub, true, g.key from gone g;
  elsif length(to_key) > 0 then
    with gone as (delete from :schema.kv where kv.key >= from_key and kv.key < to_key returning kv.*)
    insert into :schema.log (mod_revision, create_revision, version, lease, prev_revision, sub, prev_sub, create_sub, deleted, key)
    select at_revision, g.create_revision, 0, 0, g.mod_revision,
           first_sub + (row_number() over (order by g.key))::int - 1, g.sub, g.create_sub, true, g.key from gone g;
  else
    with gone as (delete from :schema.kv where kv.key >= from_key returning kv.*)
    insert into :schema.log (mod_revision, create_revision, version, lease, prev_revision, sub, prev_sub, create_sub, deleted, key)
    select at_revision, g.create_revision, 0, 0, g.mod_revision,
           first_sub + (row_number() over (order by g.key))::int - 1, g.sub, g.create_sub, true, g.key from gone g;
  end if;
  get diagnostics deleted_count = row_count;
  return deleted_count;
end $$;
