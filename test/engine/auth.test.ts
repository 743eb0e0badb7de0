import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { POSTGRES_VERSIONS, type Postgres, startPostgres } from '../support/postgres.ts'
import { bytes, openStore, type TestStore, text } from '../support/store.ts'

const PASSWORD = {
  scheme: 'pbkdf2-sha256',
  hash: bytes('hash'),
  salt: bytes('salt'),
  iterations: 100_000,
} as const
const NOTHING = new Uint8Array(0)

describe.each(POSTGRES_VERSIONS)('users and roles on PostgreSQL %i', (version) => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(version)
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  /** Runs `calls` while another session holds the write lock, and lets go once all of them wait for it. */
  async function whileLocked<T>(store: TestStore, calls: readonly (() => Promise<T>)[]) {
    const holder = new pg.Client({ connectionString: postgres.url })
    await holder.connect()
    try {
      await holder.query('begin')
      await holder.query(`lock table ${store.schema}.write_lock in share row exclusive mode`)
      const settled = Promise.allSettled(calls.map((call) => call()))
      for (let waiting = 0; waiting < calls.length; ) {
        const { rows } = await postgres.query(
          `select count(*)::int as n from pg_locks where not granted and relation = '${store.schema}.write_lock'::regclass`,
        )
        waiting = rows[0].n
      }
      await holder.query('commit')
      return await settled
    } finally {
      await holder.end()
    }
  }

  const authRevision = async ({ store }: TestStore) => (await store.authentication.rights(undefined)).authRevision
  const permissionsOf = async ({ store }: TestStore, role: string) =>
    (await store.roles.get(role)).permissions.map(
      ({ permType, key, rangeEnd }) => `${permType} ${text(key)}-${text(rangeEnd)}`,
    )

  test('each change adds 1 to the auth revision, an error and a change of nothing add none', async () => {
    await using own = await openStore(postgres)
    const { users, roles } = own.store
    await own.put({ key: bytes('k') })
    expect(await authRevision(own)).toBe(1n)
    const steps: [change: () => Promise<bigint>, auth: bigint, error?: string][] = [
      [() => users.add('u', PASSWORD), 2n],
      [() => users.add('u', undefined), 2n, 'user name already exists'],
      [() => users.grantRole('u', 'r'), 2n, 'role name not found'],
      [() => roles.add('r'), 3n],
      [() => roles.add('r'), 3n, 'role name already exists'],
      [() => users.grantRole('u', 'r'), 4n],
      [() => users.grantRole('u', 'r'), 4n],
      [() => users.revokeRole('u', 'x'), 4n, 'role is not granted to the user'],
      [() => users.changePassword('u', undefined), 4n, 'password was given for no password user'],
      [() => users.changePassword('u', PASSWORD), 5n],
      [() => roles.revokePermission('r', bytes('a'), NOTHING), 5n, 'permission is not granted to the role'],
      [() => roles.grantPermission('r', { permType: 1, key: bytes('a'), rangeEnd: NOTHING }), 6n],
      [() => roles.grantPermission('r', { permType: 1, key: bytes('a'), rangeEnd: NOTHING }), 7n],
      [() => roles.revokePermission('r', bytes('a'), NOTHING), 8n],
      [() => roles.delete('r'), 9n],
      [() => roles.delete('r'), 9n, 'role name not found'],
      [() => users.delete('u'), 10n],
      [() => users.delete('u'), 10n, 'user name not found'],
    ]
    for (const [change, auth, error] of steps) {
      if (error === undefined) expect(await change(), "the keys' revision stays").toBe(2n)
      else await expect(change()).rejects.toThrow(error)
      expect(await authRevision(own)).toBe(auth)
    }
  })

  test('names of any characters, listed by their bytes', async () => {
    await using own = await openStore(postgres)
    const { users, roles } = own.store
    const names = ['root', '\u0000', '\u0000a', '\ufeffbom', 'ü', '🔑', '\ud7ff', '\uffff', `'"$1:schema`]
    const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    for (const name of names) {
      await users.add(name, PASSWORD)
      await roles.add(name)
    }
    for (const role of names) await users.grantRole('🔑', role)
    expect((await users.list()).names).toEqual(sorted)
    expect((await roles.list()).names).toEqual(sorted)
    expect((await users.get('🔑')).roles).toEqual(sorted)
    await roles.delete('\u0000')
    expect((await users.get('🔑')).roles).toEqual(sorted.filter((name) => name !== '\u0000'))
  })

  test('root is granted before it exists, and taken away with the role', async () => {
    await using own = await openStore(postgres)
    const { users, roles } = own.store
    await users.add('u', PASSWORD)
    await users.grantRole('u', 'root')
    expect((await users.get('u')).roles).toEqual(['root'])
    await expect(roles.get('root')).rejects.toThrow('role name not found')
    await roles.add('root')
    await roles.delete('root')
    expect((await users.get('u')).roles).toEqual([])
  })

  test("permissions by key, and those of one key in etcd's order, twins included", async () => {
    await using own = await openStore(postgres)
    const { roles } = own.store
    const grant = (permType: number, key: string, rangeEnd: string) =>
      roles.grantPermission('r', { permType, key: bytes(key), rangeEnd: bytes(rangeEnd) })
    await roles.add('r')
    await grant(0, 'b', 'z')
    await grant(0, 'b', 'c')
    await grant(9, 'a', '\0')
    await grant(2, 'b', 'z')
    expect(await permissionsOf(own, 'r')).toEqual(['9 a-\0', '2 b-z', '0 b-c'])
    // The first of the key is looked at only.
    await grant(1, 'b', 'c')
    expect(await permissionsOf(own, 'r')).toEqual(['9 a-\0', '2 b-z', '0 b-c', '1 b-c'])
    await roles.revokePermission('r', bytes('b'), bytes('c'))
    expect(await permissionsOf(own, 'r')).toEqual(['9 a-\0', '2 b-z'])
  })

  test('what is kept of a password: a hash, or nothing, or what was given', async () => {
    await using own = await openStore(postgres)
    const { users } = own.store
    const kept = async (name: string) => {
      const { rows } = await postgres.query(
        `select no_password, password_scheme as scheme, password_hash as hash, password_salt as salt,
                password_iterations as iterations from ${own.schema}.auth_user where name = $1`,
        [Buffer.from(name)],
      )
      return rows[0]
    }
    const none = { no_password: true, scheme: null, hash: null, salt: null, iterations: null }
    await users.add('u', PASSWORD)
    expect(await kept('u')).toEqual({
      no_password: false,
      scheme: 'pbkdf2-sha256',
      hash: Buffer.from('hash'),
      salt: Buffer.from('salt'),
      iterations: 100_000,
    })
    await users.changePassword('u', { scheme: 'bcrypt', hash: bytes('$2a$') })
    expect(await kept('u')).toMatchObject({ scheme: 'bcrypt', hash: Buffer.from('$2a$'), salt: null })
    await users.add('n', undefined)
    expect(await kept('n')).toEqual(none)
    await users.changePassword('n', PASSWORD)
    expect(await kept('n')).toEqual(none)
  })

  test('changes wait for the write lock and then see each other (invariants 1 and 5)', async () => {
    await using own = await openStore(postgres)
    const { users } = own.store
    const settled = await whileLocked(
      own,
      Array.from({ length: 4 }, () => () => users.add('u', PASSWORD)),
    )
    const outcomes = settled.map((one) => (one.status === 'fulfilled' ? 'added' : one.reason.message))
    expect(outcomes.toSorted()).toEqual(['added', ...Array(3).fill('etcdserver: user name already exists')])
    expect(await authRevision(own)).toBe(2n)
  })
})
