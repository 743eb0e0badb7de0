-- begin_auth_change(known_version) and end_auth_change() stand around every change of users, roles and permissions, and
-- around switching authentication on or off (auth_switch.sql).
--
-- begin takes the write lock, so that changes come one after the other and apply() sees each of them before or after a
-- batch, never during it. It is called in a statement of its own: each later statement of the caller then sees all that
-- committed while this one waited. It gives null, or the name of etcd's error when the version of the rights is no longer
-- the one that the caller was authorized under (known_version; negative: the caller isn't held to one).
--
-- end makes the change count: the auth revision and the auth version rise by 1, the keys' revision stays. It gives the
-- keys' revision, for the answer's header.
--
-- A caller that finds an error returns between the two, before its first write: an error undoes nothing.
--
-- Locks: write_lock, then the head row (by its update), then rows of auth, auth_user, auth_role and auth_permission,
-- which only holders of write_lock write.
--
-- Example, store at revision 7, auth version 3:  begin(3) -> null, insert a user, end -> 7; the auth version is 4. Then
-- begin(3) -> AuthOldRevision.
create or replace function :schema.begin_auth_change(known_version bigint) returns text
language plpgsql volatile as $$
begin
  perform :schema.lock_writes();
  if known_version >= 0 and known_version <> (select h.auth_version from :schema.head h) then
    return 'AuthOldRevision';
  end if;
  return null;
end $$;

create or replace function :schema.end_auth_change() returns bigint
language plpgsql volatile as $$
declare
  keys_revision bigint;
begin
  update :schema.head h set auth_version = h.auth_version + 1 returning h.revision into keys_revision;
  update :schema.auth set revision = auth.revision + 1;
  return keys_revision;
end $$;

-- Whether authentication is on, for callers that hold the write lock.
create or replace function :schema.auth_is_enabled() returns boolean
language sql stable as $$
  select a.enabled from :schema.auth a
$$;
