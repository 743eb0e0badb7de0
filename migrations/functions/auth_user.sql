-- The changes of users. Each gives `failure`, the name of etcd's error or null, and then the keys' revision for the
-- header; with a failure nothing has changed. known_version and locks: see auth_change.sql.
--
--   auth_user_add              UserAlreadyExist
--   auth_user_delete           UserNotFound; InvalidAuthMgmt for `root` while authentication is on
--   auth_user_change_password  UserNotFound; NoPasswordUser when the user has a password and new_scheme is null
--   auth_user_grant_role       UserNotFound, RoleNotFound; a role that the user has already is no change
--   auth_user_revoke_role      UserNotFound, RoleNotGranted; InvalidAuthMgmt for root's role `root` while it is on
--
-- Example, user `ada` with role `r`, store at 7:  auth_user_grant_role(-1, 'ada', 'a')  ->  (null, 7), roles {a,r};
-- once more  ->  (null, 7), and the auth version stays;  auth_user_grant_role(-1, 'bob', 'a')  ->  (UserNotFound, null).
create or replace function :schema.auth_user_add(
  known_version bigint, user_name bytea, without_password boolean, scheme text, hash bytea, salt bytea, iterations int,
  out failure text, out revision bigint
)
language plpgsql volatile as $$
begin
  failure := :schema.begin_auth_change(known_version);
  if failure is not null then return; end if;
  if exists (select from :schema.auth_user u where u.name = user_name) then
    failure := 'UserAlreadyExist';
    return;
  end if;
  insert into :schema.auth_user
    (name, no_password, roles, password_version, password_scheme, password_hash, password_salt, password_iterations)
    select user_name, without_password, '{}', h.auth_version + 1, scheme, hash, salt, iterations from :schema.head h;
  revision := :schema.end_auth_change();
end $$;

create or replace function :schema.auth_user_delete(known_version bigint, user_name bytea, out failure text, out revision bigint)
language plpgsql volatile as $$
begin
  failure := :schema.begin_auth_change(known_version);
  if failure is not null then return; end if;
  if user_name = 'root' and :schema.auth_is_enabled() then
    failure := 'InvalidAuthMgmt';
    return;
  end if;
  delete from :schema.auth_user u where u.name = user_name;
  if not found then
    failure := 'UserNotFound';
    return;
  end if;
  revision := :schema.end_auth_change();
end $$;

create or replace function :schema.auth_user_change_password(
  known_version bigint, user_name bytea, new_scheme text, new_hash bytea, new_salt bytea, new_iterations int,
  out failure text, out revision bigint
)
language plpgsql volatile as $$
declare
  without_password boolean;
begin
  failure := :schema.begin_auth_change(known_version);
  if failure is not null then return; end if;
  select u.no_password into without_password from :schema.auth_user u where u.name = user_name;
  if not found then
    failure := 'UserNotFound';
    return;
  end if;
  if not without_password then
    if new_scheme is null then
      failure := 'NoPasswordUser';
      return;
    end if;
    update :schema.auth_user u
      set password_scheme = new_scheme, password_hash = new_hash, password_salt = new_salt, password_iterations = new_iterations
      where u.name = user_name;
  end if;
  -- Also where there is no password to change: as in etcd, the user's tokens end.
  update :schema.auth_user u set password_version = h.auth_version + 1 from :schema.head h where u.name = user_name;
  revision := :schema.end_auth_change();
end $$;

create or replace function :schema.auth_user_grant_role(
  known_version bigint, user_name bytea, role_name bytea, out failure text, out revision bigint
)
language plpgsql volatile as $$
declare
  held bytea[];
begin
  failure := :schema.begin_auth_change(known_version);
  if failure is not null then return; end if;
  select u.roles into held from :schema.auth_user u where u.name = user_name;
  if not found then
    failure := 'UserNotFound';
    return;
  end if;
  -- etcd: the role `root` is granted whether it exists or not.
  if role_name <> 'root' and not exists (select from :schema.auth_role r where r.name = role_name) then
    failure := 'RoleNotFound';
    return;
  end if;
  if role_name = any (held) then
    select h.revision into revision from :schema.head h;
    return;
  end if;
  update :schema.auth_user u set roles = array(select r from unnest(held || role_name) r order by r) where u.name = user_name;
  revision := :schema.end_auth_change();
end $$;

create or replace function :schema.auth_user_revoke_role(
  known_version bigint, user_name bytea, role_name bytea, out failure text, out revision bigint
)
language plpgsql volatile as $$
declare
  held bytea[];
begin
  failure := :schema.begin_auth_change(known_version);
  if failure is not null then return; end if;
  if user_name = 'root' and role_name = 'root' and :schema.auth_is_enabled() then
    failure := 'InvalidAuthMgmt';
    return;
  end if;
  select u.roles into held from :schema.auth_user u where u.name = user_name;
  if not found then
    failure := 'UserNotFound';
    return;
  end if;
  if not role_name = any (held) then
    failure := 'RoleNotGranted';
    return;
  end if;
  update :schema.auth_user u set roles = array_remove(held, role_name) where u.name = user_name;
  revision := :schema.end_auth_change();
end $$;
