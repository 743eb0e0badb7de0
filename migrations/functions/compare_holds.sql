-- compare_holds(...) evaluates one compare of a transaction against the present, as etcd's applyCompare does.
--
--   target       etcd's number: 0 VERSION, 1 CREATE, 2 MOD, 3 VALUE, 4 LEASE; any other compares as equal
--   result       etcd's number: 0 EQUAL, 1 GREATER, 2 LESS, 3 NOT_EQUAL; any other holds
--   to_key       as range_at; every key in the interval must hold, an empty interval is an absent key
--   operand      for the targets that are numbers; value_operand for VALUE
--
-- An absent key has version, revisions and lease 0, and no value: a compare of its VALUE never holds.
-- STABLE: reads by the caller's snapshot. Locks: none.
-- Example: compare_holds(1, 0, 'k', null, 0, null)  ->  true when k does not exist
create or replace function :schema.compare_holds(target int, result int, from_key bytea, to_key bytea, operand bigint, value_operand bytea)
returns boolean
language plpgsql stable as $$
declare
  k          record;
  actual     bigint;
  difference int;
  met_key    boolean := false;
begin
  -- One key is looked up here: it is what nearly every compare names.
  for k in
    select kv.version, kv.create_revision, kv.mod_revision, kv.lease,
           case when target = 3 then coalesce(kv.value, (select l.value from :schema.log l where l.mod_revision = kv.mod_revision and l.sub = kv.sub)) end as value
    from :schema.kv where to_key is null and kv.key = from_key
    union all
    select r.version, r.create_revision, r.mod_revision, r.lease, r.value
    from :schema.range_now(from_key, to_key, null, target = 3) r where to_key is not null
  loop
    met_key := true;
    if target = 3 then
      difference := case when k.value < value_operand then -1 when k.value > value_operand then 1 else 0 end;
    else
      actual := case target when 0 then k.version when 1 then k.create_revision when 2 then k.mod_revision when 4 then k.lease else operand end;
      difference := case when actual < operand then -1 when actual > operand then 1 else 0 end;
    end if;
    if (result = 0 and difference <> 0) or (result = 1 and difference <= 0)
       or (result = 2 and difference >= 0) or (result = 3 and difference = 0) then
      return false;
    end if;
  end loop;
  if met_key then
    return true;
  end if;
  if target = 3 then
    return false;
  end if;
  difference := case when target not between 0 and 4 or operand = 0 then 0 when operand > 0 then -1 else 1 end;
  return case result when 0 then difference = 0 when 1 then difference > 0 when 2 then difference < 0 when 3 then difference <> 0 else true end;
end $$;
