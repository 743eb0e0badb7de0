-- Only on YugabyteDB
  primary key (id asc)
  primary key (id asc)
  primary key (key asc)
  primary key (mod_revision asc, sub asc)
  primary key (id asc)
  primary key (id asc)
  primary key (alarm asc, member_id asc)
  primary key (noted_at asc)
  primary key (id asc)
  primary key (id asc)
  primary key (name asc)
create table :schema.auth_role (name bytea not null, primary key (name asc));
  primary key (role asc, granted_at asc)
alter table :schema.head add column if not exists turn bigint not null default 0;
create index nonconcurrently if not exists kv_lease on :schema.kv (lease asc, key asc) where lease <> 0;
create index nonconcurrently if not exists log_life on :schema.log (create_revision asc, create_sub asc, mod_revision asc)
  include (version, lease);
create index nonconcurrently if not exists log_tombstone on :schema.log (key asc, mod_revision asc)
  include (create_revision, create_sub) where deleted;
create index nonconcurrently if not exists lease_expires_at on :schema.lease (expires_at asc) include (id);
-- Only on PostgreSQL
  primary key (id)
  primary key (id)
  primary key (key)
  primary key (mod_revision, sub)
  primary key (id)
  primary key (id)
  primary key (alarm, member_id)
  primary key (noted_at)
  primary key (id)
  primary key (id)
  primary key (name)
create table :schema.auth_role (name bytea not null, primary key (name));
  primary key (role, granted_at)
create table :schema.write_lock ();
alter table :schema.head set (fillfactor = 10);
alter table :schema.kv set (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
create index kv_lease on :schema.kv (lease, key) where lease <> 0;
alter table :schema.log set (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
create index log_life on :schema.log (create_revision, create_sub, mod_revision);
create index log_tombstone on :schema.log (key, mod_revision) where deleted;
do $$ begin
  alter table :schema.log alter value set compression lz4;
exception when feature_not_supported or invalid_parameter_value then null;
end $$;
create index lease_expires_at on :schema.lease (expires_at);
analyze :schema.head;
analyze :schema.sweep;
analyze :schema.scheduled_run;
analyze :schema.auth;
analyze :schema.cluster;
