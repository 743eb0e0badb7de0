-- A Range of the present without sort and filters: the head row, then the keys in key order.
-- One plain SELECT, so one snapshot (invariant 5). Locks: none. Plan: the index of kv, entries in proportion to the answer.
--
--   :interval   one of three texts on $1 and $2; an open end as a condition on a parameter would lose the index bound
--   :value      the value, or null for keys_only
--   columns     head row: null, revision, compact revision, auth version, ms to the next lease deadline
--               key row:  key, create revision, mod revision, version, lease, value
--
-- Example, [a, c) with a and b alive at revision 9:  (null, 9, -1, 1, null)  (a, 2, 2, 1, 0, x)  (b, 3, 9, 4, 0, y)
select null::bytea, h.revision, h.compact_revision, h.auth_version, :due, null::bytea from :schema.head h
union all
(select kv.key, kv.create_revision, kv.mod_revision, kv.version, kv.lease, :value from :schema.kv where :interval order by kv.key)
