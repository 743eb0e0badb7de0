-- The store: the present (kv), everything that ever happened since the last compaction (log), the leases, the users
-- and roles, and one row that says where the store stands (head). `:schema` is replaced by the quoted schema name when
-- migrating, so that many stores can share a database and nothing depends on search_path. `:asc` is the
-- engine's (src/store/dialect): how a key is sharded. How the tables lie on disk, and their indexes, are in the file of
-- this name in the engine's own folder, which runs after this one.
--
-- A key's life through these tables (k put at 2, put at 3, deleted at 4, put again at 5, compacted at 4):
--
--   revision 2, put k=a     kv  (k, create 2, mod 2, version 1)     log (2: put, life 2, previous -)
--   revision 3, put k=b     kv  (k, create 2, mod 3, version 2)     log (3: put, life 2, previous 2)
--   revision 4, delete k    kv  -                                   log (4: tombstone, life 2, previous 3)
--   revision 5, put k=c     kv  (k, create 5, mod 5, version 1)     log (5: put, life 5, previous -)
--   compact at 4            log keeps 4 (etcd keeps a tombstone that lies exactly at the compacted revision; the
--                           next compaction drops it) and 5; rows 2 and 3 were superseded at or below 4 and go.
--
-- A "life" runs from the put that creates a key to the delete that ends it. (create_revision, create_sub) names it,
-- also when one transaction ends a life and begins the next.

-- Where the store stands; always one row. Only a holder of the write lock updates it, once a batch.
create table :schema.head (
  id               int not null check (id = 1),
  revision         bigint not null,            -- of the newest change; etcd begins at 1
  compact_revision bigint not null,            -- reads below it are refused; -1: never compacted, as in etcd
  auth_version     bigint not null,            -- of what anyone may do: rises with every change of table auth and below
  incarnation      text   not null,            -- the run of the database that leases were last checked in (incarnation.sql)
  primary key (id :asc)
);

-- What every answer's header says beside the revision. raft_term never falls: clients take a fall for a stale member.
create table :schema.cluster (
  id         int not null check (id = 1),
  cluster_id bigint not null,
  member_id  bigint not null,
  raft_term  bigint not null,
  primary key (id :asc)
);

-- The present. The value is kept here up to 1 KiB, so that most reads touch nothing else; a larger one is null here
-- and lies in the log only, which always has it.
create table :schema.kv (
  key             bytea  not null,
  create_revision bigint not null,
  mod_revision    bigint not null,
  version         bigint not null,
  lease           bigint not null,             -- 0: none
  sub             int    not null,             -- (mod_revision, sub) is the log row of this state
  create_sub      int    not null,
  value           bytea,
  primary key (key :asc)
);

-- Every change, in the order of (mod_revision, sub); sub counts the changes of one transaction from 0.
create table :schema.log (
  mod_revision    bigint  not null,
  create_revision bigint  not null,
  version         bigint  not null,
  lease           bigint  not null,
  prev_revision   bigint  not null,            -- the log row that this one superseded; 0: none
  sub             int     not null,
  prev_sub        int     not null,
  create_sub      int     not null,
  deleted         boolean not null,            -- a tombstone: only key, life and previous row mean something
  key             bytea   not null,
  value           bytea,
  primary key (mod_revision :asc, sub :asc)
);

create table :schema.lease (
  id         bigint not null,
  ttl        bigint not null,                  -- as granted, in seconds
  expires_at timestamptz not null,
  primary key (id :asc)
);

-- How far dead log rows have been removed: the last row looked at. One row; its lock makes compactors take turns.
create table :schema.sweep (
  id       int not null check (id = 1),
  revision bigint not null,
  sub      int    not null,
  primary key (id :asc)
);

-- The alarms that are raised, by etcd's number of the kind: 1 NOSPACE refuses what adds data, 2 CORRUPT every change.
create table :schema.alarm (
  alarm     int    not null,
  member_id bigint not null,                   -- unsigned, so ids from 2^63 on are negative here
  primary key (alarm :asc, member_id :asc)
);

-- Periodic retention: which revision was current when. Each run of the trigger adds one.
create table :schema.revision_note (
  noted_at timestamptz not null,
  revision bigint not null,
  primary key (noted_at :asc)
);

-- How the scheduled trigger's runs went, for whoever asks for metrics: the isolate that ran it has gone by then. One row.
create table :schema.scheduled_run (
  id           int not null check (id = 1),
  began_at     timestamptz,                    -- null: none ever began, ended, succeeded
  ended_at     timestamptz,                    -- before began_at: it runs still, or was cut off
  succeeded_at timestamptz,
  failed_steps text not null,                  -- of the last one that ended, between spaces
  primary key (id :asc)
);

-- Whether callers have to say who they are. One row. etcd's auth revision counts the changes of users and roles, and
-- switching off, but not switching on: so head.auth_version stands beside it, which rises with all of them. Whoever was
-- authorized under one version is refused under another (docs/adr/0005-authorization.md).
create table :schema.auth (
  id          int not null check (id = 1),
  enabled     boolean not null,
  revision    bigint not null,                 -- etcd's, as auth/status tells it; begins at 1
  signing_key bytea not null,                  -- signs the tokens, unless the deployment brings its own key
  primary key (id :asc)
);

-- Who may sign in and what for. Names are any UTF-8, the zero character too, which text can't hold: so they are bytea,
-- and sort by their bytes as etcd's do. Changes are made under the write lock.
create table :schema.auth_user (
  name                bytea   not null,
  no_password         boolean not null,        -- never signs in by password, whatever it is changed to
  roles               bytea[] not null,        -- sorted; `root` may be granted before that role exists
  password_version    bigint not null,         -- the auth version that set it; a token names it, and ends with it
  password_scheme     text,                    -- how password_hash was made (src/store/auth/password.ts); null: none
  password_hash       bytea,
  password_salt       bytea,
  password_iterations int,
  primary key (name :asc)
);

create table :schema.auth_role (name bytea not null, primary key (name :asc));

-- granted_at is the auth version of the grant that added it: etcd keeps several permissions of one key in that order.
create table :schema.auth_permission (
  role       bytea  not null references :schema.auth_role on delete cascade,
  granted_at bigint not null,
  type       int    not null,                  -- authpb.Permission.Type; any number that a client sent
  key        bytea  not null,
  range_end  bytea  not null,                  -- as in etcd: empty is the one key, a zero byte is to the end
  primary key (role :asc, granted_at :asc)
);

-- Where a run that was cut off is taken up again, the rows may be there.
insert into :schema.head values (1, 1, -1, 1, '') on conflict do nothing;
insert into :schema.sweep values (1, 0, 0) on conflict do nothing;
insert into :schema.scheduled_run values (1, null, null, null, '') on conflict do nothing;
-- Two random UUIDs have 244 random bits, from the same source as keys of pgcrypto.
insert into :schema.auth
values (1, false, 1, sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text, 'UTF8')))
on conflict do nothing;
insert into :schema.cluster
select 1, random_id[1], random_id[2], 2
from (select array_agg(('x' || left(replace(gen_random_uuid()::text, '-', ''), 16))::bit(64)::bigint & 9223372036854775807) as random_id
      from generate_series(1, 2)) r
on conflict do nothing;
