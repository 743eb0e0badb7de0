-- What is left of lease $1, and with $2 its keys. One snapshot; locks: none.
-- Head row: revision, compact revision, auth version, due, granted TTL and whole seconds left (null: no such lease).
-- Key rows: nulls and a key.
select h.revision, h.compact_revision, h.auth_version, :due,
       l.ttl, floor(extract(epoch from l.expires_at - clock_timestamp()))::bigint, null::bytea
from :schema.head h left join :schema.lease l on l.id = $1
union all
(select null, null, null, null, null, null, kv.key from :schema.kv where $2 and kv.lease = $1 and kv.lease <> 0 order by kv.key)
