-- range_now(from_key, to_key, row_limit, with_value) reads the present in key order; range_count(...) and
-- range_rows(...) serve both the present (at_revision <= 0) and the past. These are for callers that don't know the
-- shape of the interval when their text is written: transactions and sorted ranges. A plain Range has texts of its own.
--
-- Interval, limit, snapshot and locks as range_at. Example: range_now('a', 'b', 10, true)  ->  the first ten keys below b
create or replace function :schema.range_now(from_key bytea, to_key bytea, row_limit bigint, with_value boolean)
returns table (key bytea, create_revision bigint, mod_revision bigint, version bigint, lease bigint, value bytea)
language plpgsql stable as $$
#variable_conflict use_column
begin
  if to_key is null then
    return query select k.key, k.create_revision, k.mod_revision, k.version, k.lease,
      case when with_value then coalesce(k.value, (select l.value from :schema.log l where l.mod_revision = k.mod_revision and l.sub = k.sub)) end
      from :schema.kv k where k.key = from_key;
  elsif length(to_key) > 0 then
    return query select k.key, k.create_revision, k.mod_revision, k.version, k.lease,
      case when with_value then coalesce(k.value, (select l.value from :schema.log l where l.mod_revision = k.mod_revision and l.sub = k.sub)) end
      from :schema.kv k where k.key >= from_key and k.key < to_key order by k.key limit row_limit;
  else
    return query select k.key, k.create_revision, k.mod_revision, k.version, k.lease,
      case when with_value then coalesce(k.value, (select l.value from :schema.log l where l.mod_revision = k.mod_revision and l.sub = k.sub)) end
      from :schema.kv k where k.key >= from_key order by k.key limit row_limit;
  end if;
end $$;

create or replace function :schema.range_rows(from_key bytea, to_key bytea, at_revision bigint, row_limit bigint, with_value boolean)
returns table (key bytea, create_revision bigint, mod_revision bigint, version bigint, lease bigint, value bytea)
language plpgsql stable as $$
begin
  if at_revision > 0 then
    return query select * from :schema.range_at(from_key, to_key, at_revision, row_limit, with_value);
  else
    return query select * from :schema.range_now(from_key, to_key, row_limit, with_value);
  end if;
end $$;

create or replace function :schema.range_count(from_key bytea, to_key bytea, at_revision bigint) returns bigint
language plpgsql stable as $$
begin
  if at_revision > 0 then
    return (select count(*) from :schema.range_at(from_key, to_key, at_revision, null, false));
  elsif to_key is null then
    return (select count(*) from :schema.kv k where k.key = from_key);
  elsif length(to_key) > 0 then
    return (select count(*) from :schema.kv k where k.key >= from_key and k.key < to_key);
  else
    return (select count(*) from :schema.kv k where k.key >= from_key);
  end if;
end $$;
