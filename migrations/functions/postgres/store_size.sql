-- store_size() tells what the store takes on disk: the bytes of all tables with their indexes, and how much of that is in use.
--
-- In use is an estimate: of each table the share of its live rows, as PostgreSQL's statistics count them. The rest waits for
-- vacuum, or is free for the next rows. The sizes are the files', of no snapshot.
--
-- Locks: none. Example: select * from etcd.store_size();  ->  (245760, 196608)
create or replace function :schema.store_size(out bytes bigint, out in_use bigint)
language sql stable as $$
  select sum(t.bytes)::bigint,
         sum(case when t.dead = 0 then t.bytes else t.bytes * t.live / (t.live + t.dead) end)::bigint
  from (select pg_total_relation_size(c.oid) as bytes, s.n_live_tup::numeric as live, s.n_dead_tup::numeric as dead
        from pg_class c join pg_stat_all_tables s on s.relid = c.oid
        where c.relkind = 'r'
          and c.relnamespace = (select o.relnamespace from pg_class o join :schema.head h on o.oid = h.tableoid)) t
$$;
