-- The keys from $1 on as they were at revision $2: at most $3 of them, and no more once their values have $4 bytes.
-- The head row, then key, create revision, mod revision, version, lease, value. One snapshot; locks: none.
with page as materialized (
  select r.*, sum(octet_length(r.value)) over (order by r.key rows between unbounded preceding and 1 preceding) as bytes_before
  from :schema.range_at($1, ''::bytea, $2, $3, true) r
)
select null::bytea, h.revision, h.compact_revision, h.auth_version, :due, null::bytea from :schema.head h
union all
(select p.key, p.create_revision, p.mod_revision, p.version, p.lease, p.value
 from page p where coalesce(p.bytes_before, 0) < $4 order by p.key)
