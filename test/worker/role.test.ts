import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { workerRole } from '../support/worker-role.ts'

/* That the rights of docs/workers.md are enough shows in every other test of the Worker: each runs under them. */

let postgres: Postgres
let client: pg.Client
beforeAll(async () => {
  postgres = await startPostgres(18)
  client = new pg.Client({ connectionString: await workerRole(postgres.url, 'etcd') })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await postgres[Symbol.asyncDispose]()
})

it.each([
  ['change the history', 'update etcd.log set value = null'],
  ['change what the store is called', 'update etcd.cluster set cluster_id = 1'],
  ['bring a key of its own to sign tokens with', "update etcd.auth set signing_key = ''"],
  ['add a second head', "insert into etcd.head values (2, 1, -1, 1, '')"],
  ['remove the head', 'delete from etcd.head'],
  ['empty a table', 'truncate etcd.log'],
  ['recover', 'select etcd.recover(1)'],
  ['see what was migrated', 'select from etcd.migration'],
  ['change a function', 'drop function etcd.apply'],
  ['change a table', 'alter table etcd.kv add column more int'],
  ['make a table', 'create table etcd.mine ()'],
  ['make a schema', 'create schema mine'],
  ['make a role', 'create role mine'],
])("the Worker's role may not %s", async (_, sql) => {
  await expect(client.query(sql)).rejects.toMatchObject({ code: '42501' })
})

it.each([
  ['jit', 'off'],
  ['statement_timeout', '10s'],
  ['default_transaction_isolation', 'read committed'],
  ['bytea_output', 'hex'],
])('its sessions begin with %s = %s, whatever the database has', async (setting, value) => {
  const { rows } = await client.query('select current_setting($1) as value', [setting])
  expect(rows).toEqual([{ value }])
})

it('its rights are those of the page and no more, table by table', async () => {
  const { rows } = await postgres.query(`
    with granted as (
      select c.relname as name, lower(a.privilege_type) as right
      from pg_class c, aclexplode(c.relacl) a where a.grantee = 'etcd_worker'::regrole
      union all
      select t.attrelid::regclass::text, lower(a.privilege_type) || '(' || t.attname || ')'
      from pg_attribute t, aclexplode(t.attacl) a where a.grantee = 'etcd_worker'::regrole
    )
    select replace(g.name, 'etcd.', '') as name, string_agg(g.right, ' ' order by g.right) as rights
    from granted g group by 1`)
  expect(Object.fromEntries(rows.map(({ name, rights }) => [name, rights]))).toEqual({
    alarm: 'delete insert select',
    auth: 'select update(enabled) update(revision)',
    auth_permission: 'delete insert select update(type)',
    auth_role: 'delete insert select',
    auth_user:
      'delete insert select update(password_hash) update(password_iterations) update(password_salt) update(password_scheme) update(password_version) update(roles)',
    cluster: 'select',
    head: 'select update(auth_version) update(compact_revision) update(incarnation) update(revision)',
    kv: 'delete insert maintain select update(lease) update(mod_revision) update(sub) update(value) update(version)',
    lease: 'delete insert select update(expires_at)',
    log: 'delete insert maintain select',
    revision_note: 'delete insert select',
    scheduled_run: 'select update(began_at) update(ended_at) update(failed_steps) update(succeeded_at)',
    sweep: 'select update(revision) update(sub)',
    write_lock: 'update',
  })
})
