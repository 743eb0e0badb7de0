-- A transaction without writes: the head row (step 0, laid out as apply's), then the rows of inspect(). One statement on
-- a STABLE function, so one snapshot (invariant 5). Locks: none.
select 0, 0, h.revision, :due, null::bytea, h.compact_revision, h.auth_revision, null::bigint, null::bigint, null::bytea
from :schema.head h
union all
select r.* from :schema.head h, :schema.inspect($1, $2, $3, $4, $5, $6, $7, h.revision, h.compact_revision) r
