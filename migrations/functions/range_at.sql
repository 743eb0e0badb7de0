-- range_at(from_key, to_key, at_revision, row_limit, with_value) reads keys as they were at a past revision, in key
-- order. It costs in proportion to the keys in range and the lives that ended there since, not to the history.
--
--   to_key      null: the one key from_key; empty: from from_key to the end; else [from_key, to_key)
--   row_limit   null: all
--
-- How: the keys of the present that already lived at at_revision (unchanged since: kv answers; changed since: one probe
-- of their life in the log), and the lives that ended after it, found by their tombstones. With a limit the interval is
-- cut first, at the key with which the present alone would reach it: else the tombstones of the whole rest would be
-- looked at for each page.
--
-- STABLE: it reads by the caller's snapshot, so a caller gets head and rows from one moment. Locks: none.
-- The planner settings keep the lateral probes: with its usual guesses the planner sorts the whole table first.
--
-- Example, the life of the store in 0001_store.sql: range_at('k', null, 3, null, true)  ->  k, create 2, mod 3, version 2, b
create or replace function :schema.range_at(from_key bytea, to_key bytea, at_revision bigint, row_limit bigint, with_value boolean)
returns table (key bytea, create_revision bigint, mod_revision bigint, version bigint, lease bigint, value bytea)
language plpgsql stable
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set enable_bitmapscan = off
set max_parallel_workers_per_gather = 0
as $$
#variable_conflict use_column
declare
  -- One key is the interval up to its successor. An open end is a second text: as a condition on a parameter it
  -- would turn the bound of the index scan into a filter.
  upper_key bytea := case when to_key is null then from_key || '\x00'::bytea else to_key end;
  last_key bytea;
begin
  if row_limit > 0 and length(upper_key) > 0 then
    select k.key into last_key from :schema.kv k
    where k.key >= from_key and k.key < upper_key and k.create_revision <= at_revision
    order by k.key offset row_limit - 1 limit 1;
  elsif row_limit > 0 then
    select k.key into last_key from :schema.kv k
    where k.key >= from_key and k.create_revision <= at_revision
    order by k.key offset row_limit - 1 limit 1;
  end if;
  upper_key := coalesce(last_key || '\x00'::bytea, upper_key);
  if length(upper_key) > 0 then
    return query
    (select k.key, k.create_revision, s.mod_revision, s.version, s.lease, s.value
     from :schema.kv k cross join lateral (
       select k.mod_revision, k.version, k.lease,
              case when with_value then coalesce(k.value, (select l.value from :schema.log l where l.mod_revision = k.mod_revision and l.sub = k.sub)) end as value
       where k.mod_revision <= at_revision
       union all
       (select g.mod_revision, g.version, g.lease, case when with_value then g.value end
        from :schema.log g
        where k.mod_revision > at_revision
          and g.create_revision = k.create_revision and g.create_sub = k.create_sub and g.mod_revision <= at_revision
        order by g.mod_revision desc limit 1)
     ) s
     where k.key >= from_key and k.key < upper_key and k.create_revision <= at_revision
     order by k.key)
    union all
    (select t.key, t.create_revision, s.mod_revision, s.version, s.lease, s.value
     from :schema.log t cross join lateral (
       select g.mod_revision, g.version, g.lease, case when with_value then g.value end as value
       from :schema.log g
       where g.create_revision = t.create_revision and g.create_sub = t.create_sub and g.mod_revision <= at_revision
       order by g.mod_revision desc limit 1
     ) s
     where t.deleted and t.key >= from_key and t.key < upper_key
       and t.mod_revision > at_revision and t.create_revision <= at_revision
     order by t.key)
    order by key limit row_limit;
  else
    return query
    (select k.key, k.create_revision, s.mod_revision, s.version, s.lease, s.value
     from :schema.kv k cross join lateral (
       select k.mod_revision, k.version, k.lease,
              case when with_value then coalesce(k.value, (select l.value from :schema.log l where l.mod_revision = k.mod_revision and l.sub = k.sub)) end as value
       where k.mod_revision <= at_revision
       union all
       (select g.mod_revision, g.version, g.lease, case when with_value then g.value end
        from :schema.log g
        where k.mod_revision > at_revision
          and g.create_revision = k.create_revision and g.create_sub = k.create_sub and g.mod_revision <= at_revision
        order by g.mod_revision desc limit 1)
     ) s
     where k.key >= from_key and k.create_revision <= at_revision
     order by k.key)
    union all
    (select t.key, t.create_revision, s.mod_revision, s.version, s.lease, s.value
     from :schema.log t cross join lateral (
       select g.mod_revision, g.version, g.lease, case when with_value then g.value end as value
       from :schema.log g
       where g.create_revision = t.create_revision and g.create_sub = t.create_sub and g.mod_revision <= at_revision
       order by g.mod_revision desc limit 1
     ) s
     where t.deleted and t.key >= from_key
       and t.mod_revision > at_revision and t.create_revision <= at_revision
     order by t.key)
    order by key limit row_limit;
  end if;
end $$;
