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

-- One key's state against the operand; written so that the planner puts it in place of the call.
create or replace function :schema.state_holds(
  target int, result int, version bigint, create_revision bigint, mod_revision bigint, lease bigint, value bytea,
  operand bigint, value_operand bytea
)
returns boolean language sql immutable as $$
  select case
    when target = 3 then case result when 0 then value = value_operand when 1 then value > value_operand
                                     when 2 then value < value_operand when 3 then value <> value_operand else true end
    when target between 0 and 4 then
      case result when 0 then (case target when 0 then version when 1 then create_revision when 2 then mod_revision else lease end) = operand
                  when 1 then (case target when 0 then version when 1 then create_revision when 2 then mod_revision else lease end) > operand
                  when 2 then (case target when 0 then version when 1 then create_revision when 2 then mod_revision else lease end) < operand
                  when 3 then (case target when 0 then version when 1 then create_revision when 2 then mod_revision else lease end) <> operand
                  else true end
    else result not in (1, 2, 3) end
$$;

create or replace function :schema.compare_holds(target int, result int, from_key bytea, to_key bytea, operand bigint, value_operand bytea)
returns boolean
language plpgsql stable as $$
declare
  k_version bigint;
  k_create  bigint;
  k_mod     bigint;
  k_lease   bigint;
  k_sub     int;
  k_value   bytea;
  all_hold  boolean;
begin
  if to_key is null then
    select kv.version, kv.create_revision, kv.mod_revision, kv.lease, kv.sub, kv.value
      into k_version, k_create, k_mod, k_lease, k_sub, k_value
      from :schema.kv where kv.key = from_key;
    if k_version is not null then
      if target = 3 and k_value is null then
        select l.value into k_value from :schema.log l where l.mod_revision = k_mod and l.sub = k_sub;
      end if;
      return :schema.state_holds(target, result, k_version, k_create, k_mod, k_lease, k_value, operand, value_operand);
    end if;
  else
    select bool_and(:schema.state_holds(target, result, r.version, r.create_revision, r.mod_revision, r.lease, r.value, operand, value_operand))
      into all_hold
      from :schema.range_now(from_key, to_key, null, target = 3) r;
    if all_hold is not null then
      return all_hold;
    end if;
  end if;
  return target <> 3 and :schema.state_holds(target, result, 0, 0, 0, 0, null, operand, null);
end $$;
