-- A page of the history as HashKV sees it at revision $1: the changes after ($2, $3) in order, without those that
-- compaction forgets: a change at or below the compacted revision counts only when it is the newest of its life at $1
-- and no tombstone. One snapshot a page; a page that shows another compacted revision than the first starts the hash over.
-- Columns: revision, compact revision, auth revision, due on the head row; then mod revision, sub, deleted, key, create
-- revision, version, lease, value. $4: rows.
select h.revision, h.compact_revision, h.auth_revision, :due, null::int, null::boolean, null::bytea, null::bytea from :schema.head h
union all
(select l.mod_revision, l.create_revision, l.version, l.lease, l.sub, l.deleted, l.key, l.value
 from :schema.log l, :schema.head h
 where (l.mod_revision, l.sub) > ($2, $3) and l.mod_revision <= $1
   and (l.mod_revision > h.compact_revision
        or not l.deleted and not exists (
          select from :schema.log n
          where n.create_revision = l.create_revision and n.create_sub = l.create_sub
            and n.mod_revision > l.mod_revision and n.mod_revision <= $1))
 order by l.mod_revision, l.sub limit $4)
