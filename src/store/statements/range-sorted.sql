-- A Range with a sort, revision filters, or in the past: any interval, the present when $3 is 0.
-- All keys in the interval are read, as etcd does, then filtered, sorted and cut; the seventh column of the head row
-- counts them before the filters. One plain SELECT on STABLE functions, so one snapshot. Locks: none.
--
--   $1 $2 interval   $3 revision   $4 $5 mod revision from, to   $6 $7 create revision from, to (null: off)   $8 limit + 1 or null
--   :order           the sort, by key where equal   :with_value, :value   whether values are read, and whether given
with found as materialized (
  select * from :schema.range_rows($1, $2, $3, :pushed_limit, :with_value)
),
kept as materialized (
  select * from found kv
  where ($4 is null or kv.mod_revision >= $4) and ($5 is null or kv.mod_revision <= $5)
    and ($6 is null or kv.create_revision >= $6) and ($7 is null or kv.create_revision <= $7)
  order by :order limit $8
)
select null::bytea, h.revision, h.compact_revision, h.auth_version, :due, null::bytea, :total
from :schema.head h
union all
select kv.key, kv.create_revision, kv.mod_revision, kv.version, kv.lease, :value, null::bigint from kept kv
