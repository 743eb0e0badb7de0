-- What a snapshot of this moment holds: the head row, the number of keys, the bytes of their keys and values, and all
-- leases in one value: 16 bytes each, id and granted TTL, by id. One plain SELECT, so one snapshot. Locks: none.
-- The length of a value is read without the value.
with keys as (
  select count(*) as count,
         coalesce(sum(octet_length(kv.key) + octet_length(coalesce(kv.value,
           (select l.value from :schema.log l where l.mod_revision = kv.mod_revision and l.sub = kv.sub)))), 0)::bigint as bytes
  from :schema.kv
)
select h.revision, h.compact_revision, h.auth_version, :due, k.count, k.bytes,
       coalesce((select string_agg(int8send(l.id) || int8send(l.ttl), ''::bytea order by l.id) from :schema.lease l), ''::bytea)
from :schema.head h, keys k
