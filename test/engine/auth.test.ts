import { create } from '@bufbuild/protobuf'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EtcdError } from '../../src/etcd/errors.ts'
import {
  CompactionRequestSchema,
  DeleteRangeRequestSchema,
  PutRequestSchema,
  RangeRequestSchema,
  TxnRequestSchema,
} from '../../src/etcd/generated/etcdserverpb/rpc_pb.ts'
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

  /** Until so many sessions wait for the write lock. */
  async function waitingForLock(store: TestStore, sessions: number): Promise<void> {
    for (let waiting = 0; waiting < sessions; ) {
      const { rows } = await postgres.query(
        `select count(*)::int as n from pg_locks where not granted and relation = '${store.schema}.write_lock'::regclass`,
      )
      waiting = rows[0].n
    }
  }

  /** Runs `calls` while another session holds the write lock, and lets go once all of them wait for it. */
  async function whileLocked<T>(store: TestStore, calls: readonly (() => Promise<T>)[]) {
    const holder = new pg.Client({ connectionString: postgres.url })
    await holder.connect()
    try {
      await holder.query('begin')
      await holder.query(`lock table ${store.schema}.write_lock in share row exclusive mode`)
      const settled = Promise.allSettled(calls.map((call) => call()))
      await waitingForLock(store, calls.length)
      await holder.query('commit')
      return await settled
    } finally {
      await holder.end()
    }
  }

  const authRevision = async ({ store }: TestStore) =>
    (await store.authentication.rights(undefined)).authRevision
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

  describe('under rights that have changed', () => {
    const versionOf = async ({ store }: TestStore) => (await store.head()).authVersion
    const signal = new AbortController().signal
    const put = create(PutRequestSchema, { key: bytes('k'), value: bytes('v') })
    const NOBODYS = { unreadable: [], unwritable: [] }

    test('what waits for the lock while they change is refused, and has changed nothing', async () => {
      await using own = await openStore(postgres)
      const { store } = own
      const caller = store.under({ authVersion: await versionOf(own), ...NOBODYS })
      const holder = new pg.Client({ connectionString: postgres.url })
      await holder.connect()
      try {
        await holder.query('begin')
        await holder.query(`select ${own.schema}.auth_role_add(-1, 'r')`)
        const refused = expect(caller.put(put, signal)).rejects.toThrow(EtcdError.of('AuthOldRevision'))
        await waitingForLock(own, 1)
        await holder.query('commit')
        await refused
      } finally {
        await holder.end()
      }
      expect((await store.head()).revision).toBe(1n)
    })

    test('a batch refuses the caller of old ones alone', async () => {
      await using own = await openStore(postgres)
      const { store } = own
      const old = store.under({ authVersion: await versionOf(own), ...NOBODYS })
      await store.roles.add('r')
      const current = store.under({ authVersion: await versionOf(own), ...NOBODYS })
      const settled = await Promise.allSettled([
        current.put(put, signal),
        old.put(put, signal),
        current.put(put, signal),
      ])
      expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect((await store.head()).revision).toBe(3n)
    })

    test('everything that can be asked is refused, and has changed nothing', async () => {
      await using own = await openStore(postgres)
      const { store } = own
      await store.leases.grant(7n, 100n)
      const old = store.under({ authVersion: await versionOf(own), ...NOBODYS })
      await store.roles.add('r')
      const range = create(RangeRequestSchema, { key: bytes('a'), rangeEnd: bytes('\0') })
      const calls: (() => Promise<unknown>)[] = [
        () => old.head(),
        () => old.range(range),
        () => old.range({ ...range, revision: 1n }),
        () => old.range({ ...range, countOnly: true }),
        () => old.put(put, signal),
        () => old.deleteRange(create(DeleteRangeRequestSchema, { key: bytes('k') }), signal),
        () => old.txn(create(TxnRequestSchema, {}), 0, signal),
        () => old.inspect(create(TxnRequestSchema, {})),
        () => old.compact(create(CompactionRequestSchema, { revision: 1n }), signal),
        () => old.revoke(7n, signal),
        () => old.leases.grant(8n, 100n),
        () => old.leases.keepAlive(7n),
        () => old.leases.timeToLive(7n, true),
        () => old.leases.leases(),
        () => old.alarms.raise({ alarm: 1, memberId: 1n }),
        () => old.alarms.clear({ alarm: 1, memberId: 1n }),
        () => old.alarms.list(0),
        () => old.status.read(),
        () => old.history.hash(0n),
        () => old.snapshots.size(),
        () => old.snapshots.part(NOTHING, 1n),
        () => old.users.add('u', undefined),
        () => old.users.delete('u'),
        () => old.users.changePassword('u', PASSWORD),
        () => old.users.grantRole('u', 'r'),
        () => old.users.revokeRole('u', 'r'),
        () => old.users.get('u'),
        () => old.users.list(),
        () => old.roles.add('s'),
        () => old.roles.delete('r'),
        () => old.roles.grantPermission('r', { permType: 0, key: bytes('a'), rangeEnd: NOTHING }),
        () => old.roles.revokePermission('r', bytes('a'), NOTHING),
        () => old.roles.get('r'),
        () => old.roles.list(),
        () => old.authentication.enable(),
        () => old.authentication.disable(),
      ]
      for (const call of calls)
        await expect(call(), String(call)).rejects.toThrow(EtcdError.of('AuthOldRevision'))
      expect(await store.head()).toMatchObject({ revision: 1n, compactRevision: -1n })
      expect((await store.leases.leases()).ids).toEqual([7n])
      expect((await store.alarms.list(0)).alarms).toEqual([])
      expect((await store.users.list()).names).toEqual([])
      expect((await store.roles.list()).names).toEqual(['r'])
    })
  })

  describe('a lease that holds a key of somebody else', () => {
    const signal = new AbortController().signal

    test.each([
      ['beside', 'b', true],
      ['at the end of what one may write', 'c', false],
      ['before it', 'a', false],
      ['far behind', 'z', false],
    ])('%s: may it be used? (%s: %s)', async (_, key, mayUse) => {
      await using own = await openStore(postgres)
      const { store } = own
      await store.leases.grant(7n, 100n)
      await own.put({ key: bytes(key), lease: 7n })
      // May write [b, c).
      const outside = [
        { from: NOTHING, to: bytes('b') },
        { from: bytes('c'), to: NOTHING },
      ]
      const caller = store.under({ authVersion: -1n, unreadable: outside, unwritable: outside })
      const uses: (() => Promise<unknown>)[] = [
        () => caller.leases.keepAlive(7n),
        () => caller.leases.leases(),
        () => caller.put(create(PutRequestSchema, { key: bytes('b'), lease: 7n }), signal),
        () =>
          caller.txn(
            create(TxnRequestSchema, {
              // Not the branch that is taken: it counts all the same.
              failure: [{ request: { case: 'requestPut', value: { key: bytes('b'), lease: 7n } } }],
            }),
            0,
            signal,
          ),
        () => caller.revoke(7n, signal),
      ]
      for (const use of uses) {
        if (mayUse) await use()
        else await expect(use(), String(use)).rejects.toThrow(EtcdError.of('PermissionDenied'))
      }
      expect((await store.leases.leases()).ids).toEqual(mayUse ? [] : [7n])
    })

    test('is told as etcd tells it, whichever keys the leases hold and whichever intervals there are', async () => {
      await using own = await openStore(postgres)
      const { store } = own
      const letters = [...'abcdefgh']
      const isBarred = (interval: string, key: string) => {
        const [from = '', to = ''] = interval.split('-')
        return from <= key && (to === '' || key < to)
      }
      for (const lease of [7n, 8n, 9n]) await store.leases.grant(lease, 100n)
      for (const [key, lease] of ['b7', 'c7', 'f7', 'h7', 'a8', 'd8'].map((one) => [...one])) {
        await own.put({ key: bytes(key ?? ''), lease: BigInt(lease ?? '0') })
      }
      const held = { 7: ['b', 'c', 'f', 'h'], 8: ['a', 'd'], 9: [] }
      const bounds = ['', ...letters, '']
      const intervals = bounds.flatMap((from, i) => bounds.slice(i + 1).map((to) => `${from}-${to}`))
      const pairs = intervals.flatMap((one) => [
        [one],
        ...intervals.filter((other) => one.split('-')[1] !== '' && other > one).map((other) => [one, other]),
      ])
      const apart = pairs.filter(
        ([one = '', other]) => other === undefined || (one.split('-')[1] ?? '') < other,
      )
      for (const barred of apart) {
        const unwritable = barred.map((interval) => {
          const [from = '', to = ''] = interval.split('-')
          return { from: bytes(from), to: bytes(to) }
        })
        const caller = store.under({ authVersion: -1n, unreadable: [], unwritable })
        for (const [lease, keys] of Object.entries(held)) {
          const isDenied = keys.some((key) => barred.some((interval) => isBarred(interval, key)))
          const put = { key: bytes('z'), lease: BigInt(lease), ignoreValue: true }
          // What comes after the check of the lease's keys fails for all, so that nothing changes.
          const refusal = EtcdError.of(isDenied ? 'PermissionDenied' : 'KeyNotFound')
          await expect(
            caller.put(create(PutRequestSchema, put), signal),
            `${lease} and ${barred.join(', ')}`,
          ).rejects.toThrow(refusal)
        }
      }
    })
  })

  describe('switching on and off', () => {
    test('needs root with the role root, and is done once', async () => {
      await using own = await openStore(postgres)
      const { authentication, users } = own.store
      const state = async () => {
        const { enabled, authRevision, authVersion } = await authentication.rights(undefined)
        return { enabled, authRevision, authVersion }
      }
      await expect(authentication.enable()).rejects.toThrow('root user does not exist')
      await users.add('root', PASSWORD)
      await expect(authentication.enable()).rejects.toThrow('root user does not have root role')
      await users.grantRole('root', 'root')
      const before = await state()
      await authentication.enable()
      const on = { enabled: true, authRevision: before.authRevision, authVersion: before.authVersion + 1n }
      expect(await state(), 'etcd: its auth revision stays').toEqual(on)
      await authentication.enable()
      expect(await state()).toEqual(on)
      await authentication.disable()
      const off = { enabled: false, authRevision: on.authRevision + 1n, authVersion: on.authVersion + 1n }
      expect(await state()).toEqual(off)
      await authentication.disable()
      expect(await state()).toEqual(off)
    })

    test('while on, root can neither go nor lose its role', async () => {
      await using own = await openStore(postgres)
      const { authentication, users, roles } = own.store
      await users.add('root', PASSWORD)
      await users.grantRole('root', 'root')
      await roles.add('root')
      await authentication.enable()
      const attempts = [
        () => users.delete('root'),
        () => users.revokeRole('root', 'root'),
        () => roles.delete('root'),
      ]
      for (const attempt of attempts) await expect(attempt()).rejects.toThrow('invalid auth management')
      await authentication.disable()
      for (const attempt of attempts.toReversed()) await attempt().catch(() => {})
      expect((await users.list()).names).toEqual([])
    })

    test('a password has a version of its own, which a new one and a new user of the name end', async () => {
      await using own = await openStore(postgres)
      const { authentication, users, roles } = own.store
      const version = async () => (await authentication.rights('u')).user?.passwordVersion ?? 0n
      await users.add('u', PASSWORD)
      const versions = [await version()]
      await roles.add('r')
      await users.grantRole('u', 'r')
      expect(await version(), 'a change of the roles is none').toBe(versions[0])
      await users.changePassword('u', PASSWORD)
      versions.push(await version())
      await users.delete('u')
      expect(await version()).toBe(0n)
      await users.add('u', undefined)
      versions.push(await version())
      await users.changePassword('u', PASSWORD)
      versions.push(await version())
      expect(new Set(versions).size).toBe(4)
    })
  })
})
