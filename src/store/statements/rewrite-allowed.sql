-- Whether this role may write both large tables anew: their owner and the database's may, and from PostgreSQL 17 on whoever
-- was granted MAINTAIN. A table that it may not rewrite is skipped by VACUUM, with a warning that nobody hears.
-- One row, one column. Locks: none.
select bool_and(
  pg_has_role(c.relowner, 'USAGE') or pg_has_role(d.datdba, 'USAGE')
  or case when current_setting('server_version_num')::int >= 170000 then has_table_privilege(c.oid, 'MAINTAIN') else false end)
from pg_class c, pg_database d
where c.relname in ('kv', 'log')
  and c.relnamespace = (select o.relnamespace from pg_class o join :schema.head h on o.oid = h.tableoid)
  and d.datname = current_database()
