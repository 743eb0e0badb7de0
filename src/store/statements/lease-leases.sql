-- All leases, the one with the least time left first, as etcd lists them. One snapshot; locks: none.
select h.revision, h.compact_revision, h.auth_revision, :due, null::bigint from :schema.head h
union all
(select null, null, null, null, l.id from :schema.lease l order by l.expires_at, l.id)
