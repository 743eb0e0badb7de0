-- The changes of roles and their permissions. Each gives `failure`, the name of etcd's error or null, and then the keys'
-- revision for the header; with a failure nothing has changed. known_version and locks: see
-- auth_change.sql.
--
--   auth_role_add                RoleAlreadyExist
--   auth_role_delete             RoleNotFound; InvalidAuthMgmt for `root` while authentication is on; the users who had the role lose it
--   auth_role_grant_permission   RoleNotFound
--   auth_role_revoke_permission  RoleNotFound, PermissionNotGranted
--
-- Example, role `r` with READ on [a, b), store at 7:  auth_role_grant_permission(-1, 'r', 1, 'a', 'b')  ->  (null, 7), now
-- WRITE;  auth_role_grant_permission(-1, 'r', 1, 'a', '')  ->  (null, 7), a second permission;
-- auth_role_revoke_permission(-1, 'r', 'x', '')  ->  (PermissionNotGranted, null).
create or replace function :schema.auth_role_add(known_version bigint, role_name bytea, out failure text, out revision bigint)
language plpgsql volatile as $$
begin
  failure := :schema.begin_auth_change(known_version);
  if failure is not null then return; end if;
  if exists (select from :schema.auth_role r where r.name = role_name) then
    failure := 'RoleAlreadyExist';
    return;
  end if;
  insert into :schema.auth_role values (role_name);
  revision := :schema.end_auth_change();
end $$;

create or replace function :schema.auth_role_delete(known_version bigint, role_name bytea, out failure text, out revision bigint)
language plpgsql volatile as $$
begin
  failure := :schema.begin_auth_change(known_version);
  if failure is not null then return; end if;
  if role_name = 'root' and :schema.auth_is_enabled() then
    failure := 'InvalidAuthMgmt';
    return;
  end if;
  delete from :schema.auth_role r where r.name = role_name;
  if not found then
    failure := 'RoleNotFound';
    return;
  end if;
  update :schema.auth_user u set roles = array_remove(u.roles, role_name) where role_name = any (u.roles);
  revision := :schema.end_auth_change();
end $$;

create or replace function :schema.auth_role_grant_permission(
  known_version bigint, role_name bytea, new_type int, new_key bytea, new_range_end bytea, out failure text, out revision bigint
)
language plpgsql volatile as $$
declare
  first_granted_at bigint;
  first_range_end  bytea;
begin
  failure := :schema.begin_auth_change(known_version);
  if failure is not null then return; end if;
  if not exists (select from :schema.auth_role r where r.name = role_name) then
    failure := 'RoleNotFound';
    return;
  end if;
  -- etcd looks at the first permission of the key only: one with the same end behind it isn't found, and is added again.
  select p.granted_at, p.range_end into first_granted_at, first_range_end from :schema.auth_permission p
    where p.role = role_name and p.key = new_key order by p.granted_at limit 1;
  if first_range_end = new_range_end then
    update :schema.auth_permission p set type = new_type where p.role = role_name and p.granted_at = first_granted_at;
  else
    insert into :schema.auth_permission (role, granted_at, type, key, range_end)
      select role_name, h.auth_version + 1, new_type, new_key, new_range_end from :schema.head h;
  end if;
  revision := :schema.end_auth_change();
end $$;

create or replace function :schema.auth_role_revoke_permission(
  known_version bigint, role_name bytea, old_key bytea, old_range_end bytea, out failure text, out revision bigint
)
language plpgsql volatile as $$
begin
  failure := :schema.begin_auth_change(known_version);
  if failure is not null then return; end if;
  if not exists (select from :schema.auth_role r where r.name = role_name) then
    failure := 'RoleNotFound';
    return;
  end if;
  delete from :schema.auth_permission p where p.role = role_name and p.key = old_key and p.range_end = old_range_end;
  if not found then
    failure := 'PermissionNotGranted';
    return;
  end if;
  revision := :schema.end_auth_change();
end $$;
