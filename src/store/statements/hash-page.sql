-- A page of the history as HashKV sees it at revision $1: the changes after ($2, $3) in order, without those that
-- compaction forgets. A change at or below the compacted revision counts only when it is no tombstone and the newest of
-- its life at the asked revision; where no key is alive at that revision etcd forgets nothing further, and what compaction
-- has left counts: the newest at the compacted revision.
-- One snapshot a page; a page that shows another compacted revision than the first starts the hash over. $4: rows.
-- Head row: revision, compact revision, auth version, due. Change row: mod revision, create revision, version, lease, sub,
-- deleted, key, value.
select h.revision, h.compact_revision, h.auth_version, :due, null::int, null::boolean, null::bytea, null::bytea from :schema.head h
union all
(select l.mod_revision, l.create_revision, l.version, l.lease, l.sub, l.deleted, l.key, l.value
 from :schema.log l, :schema.head h,
      (select exists (select from :schema.range_at('\x00', '', $1, 1, false)) as any_alive) asked
 where (l.mod_revision, l.sub) > ($2, $3) and l.mod_revision <= $1
   and (l.mod_revision > h.compact_revision
        or not l.deleted and not exists (
          select from :schema.log n
          where n.create_revision = l.create_revision and n.create_sub = l.create_sub
            and n.mod_revision > l.mod_revision
            and n.mod_revision <= case when asked.any_alive then $1 else h.compact_revision end))
 order by l.mod_revision, l.sub limit $4)
