-- A transaction without writes: the head row (step 0, the head from the sixth column on), then the rows of inspect(). One statement on
-- a STABLE function, so one snapshot (invariant 5). Locks: none.
select 0, 0, null::bigint, null::bigint, null::bytea, h.revision, h.compact_revision, h.auth_version, :due, null::bytea
from :schema.head h
union all
select r.* from :schema.head h, :schema.inspect($1, $2, $3, $4, $5, $6, $7, h.revision, h.compact_revision) r
