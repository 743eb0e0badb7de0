-- store_size() tells what the store takes on disk: the bytes of all tables with their indexes, and how much of that is in use.
--
-- YugabyteDB counts the files of each tablet's leader: the log of its changes and what was flushed, compressed, of one copy.
-- A database with colocated tables has them in one tablet, and says 0 of each.
-- https://dev.to/yugabyte/yugabytedb-in-database-visible-object-sizes-1clg
-- Everything counts as in use: old versions go by themselves, VACUUM does nothing, and the counts of dead rows that it would
-- set back only rise (https://github.com/yugabyte/yugabyte-db/issues/18330).
--
-- Locks: none. Example: select * from etcd.store_size();  ->  (245760, 245760)
create or replace function :schema.store_size(out bytes bigint, out in_use bigint)
language sql stable as $$
  select t.bytes, t.bytes
  from (select coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint as bytes
        from pg_class c
        where c.relkind = 'r'
          and c.relnamespace = (select o.relnamespace from pg_class o join :schema.head h on o.oid = h.tableoid)) t
$$;
