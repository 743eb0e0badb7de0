-- Writes the log anew, without what is free in its files, which then go back to the system. Takes the table's exclusive
-- lock: nobody writes or reads the past meanwhile, as while etcd defragments.
vacuum (full) :schema.log
