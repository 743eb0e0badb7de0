-- begin_auth_change() and end_auth_change() stand around every change of users, roles and permissions.
--
-- begin takes the write lock, so that changes come one after the other and apply() sees each of them before or after a
-- batch, never during it. It is called in a statement of its own: each later statement of the caller then sees all that
-- committed while this one waited. end makes the change count: the auth revision rises by 1, the keys' revision stays.
-- It gives the keys' revision, for the answer's header.
--
-- A caller that finds an error returns between the two, before its first write: an error undoes nothing.
--
-- Locks: write_lock, then the head row (by its update), then rows of auth_user, auth_role and auth_permission, which
-- only holders of write_lock write.
--
-- Example, store at revision 7, auth revision 3:  begin, insert a user, end  ->  7; the auth revision is 4.
create or replace function :schema.begin_auth_change() returns void
language plpgsql volatile as $$
begin
  perform :schema.lock_writes();
end $$;

create or replace function :schema.end_auth_change() returns bigint
language sql volatile as $$
  update :schema.head h set auth_revision = h.auth_revision + 1 returning h.revision
$$;
