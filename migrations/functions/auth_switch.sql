-- Switching authentication on and off. Both give `failure`, the name of etcd's error or null, and then the keys' revision
-- for the header; with a failure nothing has changed, and doing it twice is no error. known_version and locks: see
-- auth_change.sql.
--
--   auth_enable   RootUserNotExist, RootRoleNotExist: there must be somebody who can switch it off again
--   auth_disable  ends all tokens
--
-- Example, no user yet, store at 7:  auth_enable(1)  ->  (RootUserNotExist, null);  with user `root` of role `root`  ->
-- (null, 7), and the auth version rises, but not the auth revision: as in etcd.
create or replace function :schema.auth_enable(known_version bigint, out failure text, out revision bigint)
language plpgsql volatile as $$
begin
  failure := :schema.begin_auth_change(known_version);
  if failure is not null then return; end if;
  if :schema.auth_is_enabled() then
    select h.revision into revision from :schema.head h;
    return;
  end if;
  if not exists (select from :schema.auth_user u where u.name = 'root') then
    failure := 'RootUserNotExist';
    return;
  end if;
  if not exists (select from :schema.auth_user u where u.name = 'root' and 'root' = any (u.roles)) then
    failure := 'RootRoleNotExist';
    return;
  end if;
  update :schema.auth set enabled = true;
  update :schema.head h set auth_version = h.auth_version + 1 returning h.revision into revision;
end $$;

create or replace function :schema.auth_disable(known_version bigint, out failure text, out revision bigint)
language plpgsql volatile as $$
begin
  failure := :schema.begin_auth_change(known_version);
  if failure is not null then return; end if;
  if not :schema.auth_is_enabled() then
    select h.revision into revision from :schema.head h;
    return;
  end if;
  update :schema.auth set enabled = false;
  -- As in etcd, everybody has to be let in anew when it is on again.
  update :schema.auth_user u set password_version = h.auth_version + 1 from :schema.head h;
  revision := :schema.end_auth_change();
end $$;
