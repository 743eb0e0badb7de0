-- Writes the present anew, without what is free in its files, which then go back to the system. Takes the table's
-- exclusive lock: nobody reads or writes meanwhile, as while etcd defragments.
vacuum (full) :schema.kv
