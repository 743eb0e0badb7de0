-- Notes the revision that is current now, for periodic retention, and forgets notes older than what a compaction would
-- still choose. Gives back the newest noted revision that is at least $1 seconds old (null: none yet).
with noted as (
  insert into :schema.revision_note (noted_at, revision)
  select clock_timestamp(), h.revision from :schema.head h on conflict do nothing
),
old as (
  select n.noted_at, n.revision from :schema.revision_note n
  where n.noted_at <= clock_timestamp() - $1 * interval '1 second' order by n.noted_at desc limit 1
),
forgotten as (
  delete from :schema.revision_note n using old where n.noted_at < old.noted_at
)
select old.revision from old
