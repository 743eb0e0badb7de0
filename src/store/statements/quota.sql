-- Raises alarm NOSPACE (1) when all tables with their indexes take $1 bytes or more on disk. Whoever runs it, however
-- often: it is raised once, and stays until it is cleared. Takes no write lock: it is no revision. Locks: none that
-- anybody waits for.
-- Columns: the size in bytes, whether the alarm was raised by this very call.
with size as materialized (
  select z.bytes from :schema.store_size() z
),
raised as (
  insert into :schema.alarm (alarm, member_id)
  select 1, c.member_id from :schema.cluster c, size s where s.bytes >= $1
  on conflict do nothing
  returning alarm
)
select s.bytes, exists (select from raised) from size s
