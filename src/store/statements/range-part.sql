-- A part of a range: of the keys in the interval ($1, $2) as they were at revision $3 (0: now) the first $4 in key order,
-- and no more once they have $5 bytes, but always one; with their values if $6. A plain SELECT on a STABLE function, so one
-- snapshot (invariant 5). Locks: none. The lengths of large values are known without reading them.
-- Head row: null, revision, compact revision, auth version, due, null, how many keys there were before their bytes were
-- counted. Key row: key, create revision, mod revision, version, lease, value.
with part as materialized (
  select r.*, sum(octet_length(r.key) + coalesce(octet_length(r.value), 0))
                over (order by r.key rows between unbounded preceding and 1 preceding) as bytes_before
  from :schema.range_rows($1, $2, $3, $4, $6) r
)
select null::bytea, h.revision, h.compact_revision, h.auth_version, :due, null::bytea, (select count(*) from part)
from :schema.head h
union all
(select p.key, p.create_revision, p.mod_revision, p.version, p.lease, p.value, null::bigint
 from part p where coalesce(p.bytes_before, 0) < $5 order by p.key)
