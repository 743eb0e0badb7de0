-- inspect(...) runs a transaction that has no write operation in either branch: the same program as apply(), with
-- COMPARE, TAKE, BRANCH, JUMP, CHECK_REVISION and RANGE only. It waits for nobody.
--
-- STABLE: every query in it reads by the caller's one snapshot, so the answer is from one moment. Locks: none.
-- Rows out as apply(); `store_revision` and `store_compact_revision` are the head's, which the caller reads in the same statement.
--
-- Example: if version(k) = 0 then range a else range b, k absent:  ->  (TAKE total 1) (rows of a) (RANGE total 1)
create or replace function :schema.inspect(
  codes int2[], flags int4[], numbers bigint[], numbers_2 bigint[], from_keys bytea[], to_keys bytea[], operands bytea[],
  store_revision bigint, store_compact_revision bigint
)
returns table (
  step int, outcome int, revision bigint, total bigint,
  key bytea, create_revision bigint, mod_revision bigint, version bigint, lease bigint, value bytea
)
language plpgsql stable as $$
#variable_conflict use_column
declare
  taken      boolean[] := '{}';
  i          int := 1;
  n          int := coalesce(array_length(codes, 1), 0);
  code       int2;
  flag       int4;
  number     bigint;
  row_count_ bigint;
begin
  while i <= n loop
    code := codes[i];
    flag := flags[i];
    if code = 12 then -- RANGE
      number := numbers_2[i];
      if flag & 2 = 0 then
        return query select i, 0, null::bigint, null::bigint, r.*
          from :schema.range_rows(from_keys[i], to_keys[i], numbers[i], case when number > 0 then number + 1 end, flag & 1 = 0) r;
        get diagnostics row_count_ = row_count;
      end if;
      step := i; outcome := 0; revision := store_revision;
      total := case when flag & 2 <> 0 or (number > 0 and row_count_ > number)
                    then :schema.range_count(from_keys[i], to_keys[i], numbers[i]) else row_count_ end;
      return next;
      i := i + 1;
    elsif code = 1 then -- REQUEST
      i := i + 1;
    elsif code = 2 then -- COMPARE
      if :schema.compare_holds((numbers_2[i] >> 4)::int, (numbers_2[i] & 15)::int, from_keys[i], to_keys[i], numbers[i], operands[i]) then
        i := i + 1;
      else
        i := flag;
      end if;
    elsif code = 3 then -- TAKE
      taken[numbers[i]] := numbers_2[i] = 1;
      step := i; outcome := 0; revision := store_revision; total := numbers_2[i];
      return next;
      i := flag;
    elsif code = 4 then -- BRANCH
      if taken[numbers[i]] then i := i + 1; else i := flag; end if;
    elsif code = 5 then -- JUMP
      i := flag;
    elsif code = 8 then -- CHECK_REVISION
      if numbers[i] > store_revision or numbers[i] < store_compact_revision then
        step := 1; outcome := case when numbers[i] > store_revision then 4 else 3 end; revision := store_revision; total := null;
        return next;
        return;
      end if;
      i := i + 1;
    else
      raise exception 'instruction % at % is not a read', code, i;
    end if;
  end loop;
end $$;
