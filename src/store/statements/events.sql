-- Watch events after a position, whole revisions only: the head row, then the changes in the order (revision, sub).
--
--   $1 after   $2 rows to look at   $3 bytes to look at   $4 $5 interval (used by :interval)
--   head row:   revision, compact revision, auth version, due, through (complete up to here), and in the eighth column
--               the revision up to which the sweep may have removed changes
--   change row: mod revision, create revision, version, lease, deleted, key, value, then the previous state's
--               create revision, mod revision, version, lease, value when :previous joins it
--
-- `looked` bounds the work, and the bytes of the previous states that are asked for with it; `through` is the last whole
-- revision in it, at least one revision however large it is.
-- The previous state is the one before the transaction, and is left out once its revision was compacted, as etcd does.
-- One plain SELECT, so one snapshot (invariant 5). Locks: none.
--
-- Example, after 7 with changes at 8 (two keys) and 9:  (9, -1, 1, null, 9 ...) (8 ... a) (8 ... b) (9 ... c)
with looked as materialized (
  select l.mod_revision,
         row_number() over w as row_number,
         sum(
           coalesce(octet_length(l.value), 0) + octet_length(l.key)
           + case when (:interval) then :previous_bytes else 0 end
         ) over w as bytes
  from (select * from :schema.log where mod_revision > $1 order by mod_revision, sub limit $2) l :previous_join
  window w as (order by l.mod_revision, l.sub)
),
cut as (
  -- The first revision that may not be whole: where the bytes ran out, or the last one of a full look.
  select min(looked.mod_revision) as revision from looked where looked.bytes > $3 or looked.row_number = $2
),
through as (
  select case when cut.revision is null then h.revision
         else greatest((select min(looked.mod_revision) from looked), cut.revision - 1) end as revision
  from cut, :schema.head h
)
select h.revision, h.compact_revision, h.auth_version, :due, t.revision,
       null::bytea, null::bytea, least(s.revision, h.compact_revision - 1), null::bigint, null::bigint, null::bigint, null::bytea
from :schema.head h, through t, :schema.sweep s
union all
(select l.mod_revision, l.create_revision, l.version, l.lease, l.deleted::int::bigint, l.key, l.value, :previous_columns
 from :schema.log l :previous_join
 where l.mod_revision > $1 and l.mod_revision <= (select t.revision from through t) and (:interval)
 order by l.mod_revision, l.sub)
