-- Where the store stands, and the identity that every header carries. One snapshot; locks: none.
select h.revision, h.compact_revision, h.auth_version, :due, c.cluster_id, c.member_id, c.raft_term
from :schema.head h, :schema.cluster c
