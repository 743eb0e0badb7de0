-- apply(...) is the one way in for writes: it takes the write lock, ends the leases that are due, and runs a batch of
-- requests, each as its own transaction of etcd's with its own revision, result and error.
--
-- The batch is a flat program in parallel arrays, one element an instruction (store/program/instruction.ts builds it):
--
--   code             flags / jump            number          number_2           from_key  to_key    value
--   1 REQUEST        next request            auth version    refused by: 1 NOSPACE, 2 CORRUPT
--   2 COMPARE        jump when it fails      operand         target*16+result   key       range end operand
--   3 TAKE           jump to                 branch id       1 then / 0 else
--   4 BRANCH         jump when not taken     branch id
--   5 JUMP           jump to
--   6 CHECK_LEASE                            lease
--   7 CHECK_KEY                                                                 key
--   8 CHECK_REVISION                         revision
--   9 CHECK_GONE                                                                from this key on
--  10 PUT            1 prev_kv 2 ignore_value 4 ignore_lease   lease            key                 value
--  11 DELETE         1 prev_kv                                                  key       range end
--  12 RANGE          1 keys_only 2 count_only   revision     limit (0: none)    key       range end
--  13 REVOKE                                 lease
--  14 COMPACT                                revision
--  15 MARK
--  16 CHECK_LEASE_KEYS first INTERVAL        lease           how many of them
--  17 INTERVAL                                                                  key       range end
--
-- A request is: its compares (all see the state before it), each branch's TAKE; then the checks of the branches taken;
-- then their operations. A check that fails ends the request before its first write, so an error undoes nothing and
-- needs no subtransaction. CHECK_GONE notes a delete to the end of the keyspace, the only one that may be followed by a
-- put of a key it covers: a later CHECK_KEY of such a key must fail. CHECK_LEASE_KEYS fails when the lease holds a
-- key of the intervals, which are those that the caller may not write: the request's INTERVALs, in order, one behind the
-- other. It leaps from a key of the lease to the interval at or behind it, and from there to the next key: it costs no more
-- than the lease has keys, or there are intervals.
--
-- Rows out: step (the instruction's number, from 1), outcome, then what the instruction gives:
--   step 0                    the store after the batch: revision, compact and auth version, and in total the milliseconds
--                             until the next lease is due (null: no lease). Last.
--   REQUEST, outcome > 0      the request's error: 1 key not found, 2 lease not found, 3 compacted, 4 future revision,
--                             5 old auth version, 6 NOSPACE is raised, 7 CORRUPT is raised, 8 permission denied.
--                             The request changed nothing.
--   TAKE                      total: 1 when the compares held
--   PUT, DELETE, RANGE,       revision: the store's as seen at that point; total: keys deleted or counted;
--   REVOKE, COMPACT, MARK      key fields: previous states (PUT, DELETE) or keys in range, each a row before the operation's own
--
-- Locks, in this order: write_lock, the head row (by its update; only holders of write_lock touch it), lease rows by
-- ascending id. The lock is the first statement and stands alone: in READ COMMITTED each later statement sees all that
-- committed while this one waited. Anything that reads in the statement that waits sees the past.
--
-- Example, store at 3 with k = a; a batch of two:  put k = b  |  if mod(k) = 3 then delete k
--   code  {1,10, 1,2,3,3,4,11,5}  ->  (2, rev 4)  (4: total 0)  (0: rev 4): the second request saw the first one's write.
create or replace function :schema.apply(
  codes int2[], flags int4[], numbers bigint[], numbers_2 bigint[], from_keys bytea[], to_keys bytea[], operands bytea[],
  lease_limit int
)
returns table (
  step int, outcome int, revision bigint, total bigint,
  key bytea, create_revision bigint, mod_revision bigint, version bigint, lease bigint, value bytea
)
language plpgsql volatile as $$
#variable_conflict use_column
declare
  -- The store
  start_rev    bigint;   -- head as found
  now_rev      bigint;   -- newest revision
  compact_rev  bigint;
  found_compact bigint;
  auth_vers    bigint;
  raised       int;      -- alarms: 1 NOSPACE, 2 CORRUPT
  due_at       timestamptz;
  -- The request
  request_step int := 0;
  next_request int := 0;
  failure      int := 0;
  base_rev     bigint;   -- the revision before the request
  next_sub     int := 0;
  taken        boolean[] := '{}';
  gone_from    bytea;
  -- The instruction
  i            int := 1;
  n            int := coalesce(array_length(codes, 1), 0);
  code         int2;
  flag         int4;
  number       bigint;
  k            bytea;
  e            bytea;
  v            bytea;
  lease_id     bigint;
  row_count_   bigint;
  at           int;
  at_end       int;
  -- The key's state before a put
  old_create   bigint;
  old_csub     int;
  old_version  bigint;
  old_mod      bigint;
  old_sub      int;
  old_lease    bigint;
  old_value    bytea;
begin
  perform :schema.lock_writes();
  select h.revision, h.compact_revision, h.auth_version,
         coalesce((select bit_or(case a.alarm when 1 then 1 when 2 then 2 else 0 end) from :schema.alarm a), 0)
    into start_rev, compact_rev, auth_vers, raised from :schema.head h;
  now_rev := start_rev;
  found_compact := compact_rev;
  select l.expires_at into due_at from :schema.lease l order by l.expires_at limit 1;
  if due_at <= clock_timestamp() then
    now_rev := :schema.expire_leases(now_rev, lease_limit);
  end if;

  while i <= n loop
    code := codes[i];
    flag := flags[i];
    if code = 10 then -- PUT
      k := from_keys[i];
      v := operands[i];
      lease_id := numbers[i];
      select kv.create_revision, kv.create_sub, kv.version, kv.mod_revision, kv.sub, kv.lease, kv.value
        into old_create, old_csub, old_version, old_mod, old_sub, old_lease, old_value
        from :schema.kv where kv.key = k;
      if now_rev = base_rev then
        now_rev := base_rev + 1;
        next_sub := 0;
      end if;
      if old_create is not null then
        if flag <> 0 then
          if old_value is null and flag & 3 <> 0 then
            select l.value into old_value from :schema.log l where l.mod_revision = old_mod and l.sub = old_sub;
          end if;
          if flag & 2 <> 0 then v := old_value; end if;
          if flag & 4 <> 0 then lease_id := old_lease; end if;
        end if;
        update :schema.kv set mod_revision = now_rev, sub = next_sub, version = old_version + 1, lease = lease_id,
          value = case when length(v) <= 1024 then v end where kv.key = k;
        insert into :schema.log values (now_rev, old_create, old_version + 1, lease_id, old_mod, next_sub, old_sub, old_csub, false, k, v);
        if flag & 1 <> 0 then
          key := k; create_revision := old_create; mod_revision := old_mod; version := old_version; lease := old_lease; value := old_value;
        end if;
      else
        if flag & 6 <> 0 then
          raise exception 'put with ignore_value or ignore_lease of an absent key passed its check';
        end if;
        insert into :schema.kv values (k, now_rev, now_rev, 1, lease_id, next_sub, next_sub, case when length(v) <= 1024 then v end);
        -- A delete of this very transaction ended the key's last life: a watch's prev_kv is still the state before the
        -- transaction, which the tombstone points to.
        old_mod := 0;
        old_sub := 0;
        if gone_from <= k then
          select l.prev_revision, l.prev_sub into old_mod, old_sub from :schema.log l
            where l.mod_revision = now_rev and l.deleted and l.key = k;
        end if;
        insert into :schema.log values (now_rev, now_rev, 1, lease_id, coalesce(old_mod, 0), next_sub, coalesce(old_sub, 0), next_sub, false, k, v);
      end if;
      next_sub := next_sub + 1;
      step := i; outcome := 0; revision := now_rev; total := null;
      return next;
      key := null; create_revision := null; mod_revision := null; version := null; lease := null; value := null;
      i := i + 1;

    elsif code = 1 then -- REQUEST
      request_step := i;
      next_request := flag;
      failure := 0;
      base_rev := now_rev;
      gone_from := null;
      if numbers[i] <> auth_vers and numbers[i] >= 0 then
        failure := 5;
      elsif numbers_2[i] & raised & 2 <> 0 then
        failure := 7;
      elsif numbers_2[i] & raised & 1 <> 0 then
        failure := 6;
      end if;
      i := i + 1;

    elsif code = 2 then -- COMPARE
      if :schema.compare_holds((numbers_2[i] >> 4)::int, (numbers_2[i] & 15)::int, from_keys[i], to_keys[i], numbers[i], operands[i]) then
        i := i + 1;
      else
        i := flag;
      end if;

    elsif code = 3 then -- TAKE
      taken[numbers[i]] := numbers_2[i] = 1;
      step := i; outcome := 0; revision := now_rev; total := numbers_2[i];
      return next;
      i := flag;

    elsif code = 4 then -- BRANCH
      if taken[numbers[i]] then i := i + 1; else i := flag; end if;

    elsif code = 5 then -- JUMP
      i := flag;

    elsif code = 6 then -- CHECK_LEASE
      if not exists (select from :schema.lease l where l.id = numbers[i] and l.expires_at > clock_timestamp()) then
        failure := 2;
      end if;
      i := i + 1;

    elsif code = 7 then -- CHECK_KEY
      k := from_keys[i];
      if gone_from <= k or not exists (select from :schema.kv where kv.key = k) then
        failure := 1;
      end if;
      i := i + 1;

    elsif code = 8 then -- CHECK_REVISION
      number := numbers[i];
      if number > base_rev then
        failure := 4;
      elsif number < compact_rev then
        failure := 3;
      end if;
      i := i + 1;

    elsif code = 9 then -- CHECK_GONE
      gone_from := least(gone_from, from_keys[i]);
      i := i + 1;

    elsif code = 11 then -- DELETE
      k := from_keys[i];
      e := to_keys[i];
      if now_rev = base_rev then
        next_sub := 0;
      end if;
      if flag & 1 <> 0 then
        return query select i, 0, null::bigint, null::bigint, r.* from :schema.range_now(k, e, null, true) r;
      end if;
      row_count_ := :schema.delete_range(k, e, base_rev + 1, next_sub);
      if row_count_ > 0 then
        now_rev := base_rev + 1;
        next_sub := next_sub + row_count_::int;
      end if;
      step := i; outcome := 0; revision := now_rev; total := row_count_;
      return next;
      i := i + 1;

    elsif code = 12 then -- RANGE
      number := numbers_2[i];
      if flag & 2 = 0 then
        return query select i, 0, null::bigint, null::bigint, r.*
          from :schema.range_rows(from_keys[i], to_keys[i], numbers[i], case when number > 0 then number + 1 end, flag & 1 = 0) r;
        get diagnostics row_count_ = row_count;
      end if;
      step := i; outcome := 0; revision := now_rev;
      total := case when flag & 2 <> 0 or (number > 0 and row_count_ > number)
                    then :schema.range_count(from_keys[i], to_keys[i], numbers[i]) else row_count_ end;
      return next;
      i := i + 1;

    elsif code = 13 then -- REVOKE
      delete from :schema.lease l where l.id = numbers[i];
      if not found then
        failure := 2;
      else
        if :schema.delete_lease_keys(numbers[i], base_rev + 1) > 0 then
          now_rev := base_rev + 1;
        end if;
        step := i; outcome := 0; revision := now_rev; total := null;
        return next;
      end if;
      i := i + 1;

    elsif code = 14 then -- COMPACT
      number := numbers[i];
      if number <= compact_rev then
        failure := 3;
      elsif number > now_rev then
        failure := 4;
      else
        compact_rev := number;
        step := i; outcome := 0; revision := now_rev; total := null;
        return next;
      end if;
      i := i + 1;

    elsif code = 15 then -- MARK
      step := i; outcome := 0; revision := now_rev; total := null;
      return next;
      i := i + 1;

    elsif code = 16 then -- CHECK_LEASE_KEYS
      at := flag;
      at_end := flag + numbers_2[i];
      k := '';
      loop
        -- As a comparison of rows, only the index by lease can have this order.
        select kv.lease, kv.key into lease_id, k from :schema.kv
          where kv.lease <> 0 and (kv.lease, kv.key) >= (numbers[i], k) order by kv.lease, kv.key limit 1;
        exit when lease_id is distinct from numbers[i];
        while at < at_end and length(to_keys[at]) > 0 and to_keys[at] <= k loop
          at := at + 1;
        end loop;
        exit when at = at_end;
        if from_keys[at] <= k then
          failure := 8;
          exit;
        end if;
        k := from_keys[at];
      end loop;
      i := i + 1;

    elsif code = 17 then -- INTERVAL
      i := i + 1;

    else
      raise exception 'unknown instruction % at %', code, i;
    end if;

    if failure > 0 then
      step := request_step; outcome := failure; revision := now_rev; total := null;
      return next;
      failure := 0;
      i := next_request;
    end if;
  end loop;

  if now_rev <> start_rev or compact_rev <> found_compact then
    update :schema.head h set revision = now_rev, compact_revision = compact_rev;
  end if;
  select l.expires_at into due_at from :schema.lease l order by l.expires_at limit 1;
  step := 0; outcome := 0; revision := now_rev;
  total := floor(extract(epoch from due_at - clock_timestamp()) * 1000);
  create_revision := compact_rev; mod_revision := auth_vers;
  return next;
end $$;
