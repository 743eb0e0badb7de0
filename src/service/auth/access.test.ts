import { describe, expect, test } from 'vitest'
import { EtcdError } from '../../etcd/errors.ts'
import type { Rights, UserRights } from '../../store/auth/authentication.ts'
import type { Store } from '../../store/store.ts'
import { Access, type AccessMemory } from './access.ts'
import { Tokens } from './tokens.ts'

const KEY = new Uint8Array(32).fill(3)
const NO_END = new Uint8Array(0)
const bytes = (text: string) => new TextEncoder().encode(text)
const permission = (key: string) => ({ permType: 0, key: bytes(key), rangeEnd: NO_END })
const signal = new AbortController().signal
const clock = { now: () => Date.now(), sleep: () => Promise.resolve() }

/** Rights that a test changes as it likes, each change a new version, and how often they were read. */
class MemoryRights {
  version = 1n
  enabled = true
  reads = 0
  readonly users = new Map<string, UserRights>()
  /** What each read waits for. */
  latency: () => Promise<void> = () => Promise.resolve()
  readonly tokens = new Tokens({ key: { kind: 'stored' }, ttl: 60, clock })

  /** As much of a store as authorization asks for; `use` is a statement of any kind. */
  readonly store = this.#storeUnder(-1n)

  #storeUnder(version: bigint): Store & { use(): void } {
    const store = {
      authentication: { rights: (user: string | undefined) => this.#read(user) },
      identity: async () => ({ clusterId: 1n, memberId: 2n, raftTerm: 2n }),
      under: ({ authVersion }: { authVersion: bigint }) => this.#storeUnder(authVersion),
      use: () => {
        if (version !== this.version) throw EtcdError.of('AuthOldRevision')
      },
      head: async () => store.use(),
    }
    return store as unknown as Store & { use(): void }
  }

  async #read(user: string | undefined): Promise<Rights> {
    this.reads++
    const rights: Rights = {
      authVersion: this.version,
      authRevision: this.version,
      enabled: this.enabled,
      signingKey: KEY,
      user: user === undefined ? undefined : this.users.get(user),
    }
    await this.latency()
    return rights
  }

  grant(user: string, ...keys: string[]): void {
    this.users.set(user, { passwordVersion: 7n, roles: [], permissions: keys.map(permission) })
    this.version++
  }

  token(name: string): Promise<string> {
    return this.tokens.sign({ name, passwordVersion: 7n }, 1n, KEY)
  }

  access(memory?: AccessMemory): Access {
    return new Access({ store: this.store, tokens: this.tokens, ...(memory && { memory }) })
  }
}

describe('access', () => {
  /** Reads a key in somebody's name, by one statement. */
  const read = (access: Access, token: string, key: string) =>
    access.as({ signal, token }, async (caller) => {
      caller.mustRead(bytes(key), NO_END)
      ;(caller.store as unknown as { use(): void }).use()
      return 'done'
    })

  test('reads the rights of a user once, also when many ask at once', async () => {
    const rights = new MemoryRights()
    rights.grant('ada', 'a')
    const token = await rights.token('ada')
    const access = rights.access()
    await Promise.all(Array.from({ length: 50 }, () => read(access, token, 'a')))
    for (let i = 0; i < 50; i++) await read(access, token, 'a')
    expect(rights.reads).toBe(1)
  })

  test('a certificate names a user where there is no token; whoever is no user may do nothing', async () => {
    const rights = new MemoryRights()
    rights.grant('ada', 'a')
    const access = rights.access()
    const asks = (certificateName: string, key: string) =>
      access.as({ signal, certificateName }, async (caller) => {
        caller.mustRead(bytes(key), NO_END)
        return caller.identity?.name
      })
    expect(await asks('ada', 'a')).toBe('ada')
    await expect(asks('ada', 'b')).rejects.toThrow('permission denied')
    await expect(asks('nobody', 'a')).rejects.toThrow('permission denied')
    const token = await rights.token('ada')
    rights.users.set('ada', { passwordVersion: 8n, roles: [], permissions: [permission('a')] })
    rights.version++
    await expect(read(access, token, 'a')).rejects.toThrow('invalid auth token')
    expect(await asks('ada', 'a')).toBe('ada')
  })

  test('does the work again under new rights, and only then', async () => {
    const rights = new MemoryRights()
    rights.grant('ada', 'a')
    const token = await rights.token('ada')
    const access = rights.access()
    await read(access, token, 'a')
    rights.grant('ada', 'b')
    expect(await read(access, token, 'b')).toBe('done')
    await expect(read(access, token, 'a')).rejects.toThrow('permission denied')
  })

  test('turns nobody away for rights that are out of date, nor by a read from before the call', async () => {
    const rights = new MemoryRights()
    rights.grant('ada', 'a')
    const token = await rights.token('ada')
    const access = rights.access()
    await read(access, token, 'a')
    let release = () => {}
    rights.latency = () => new Promise((resolve) => (release = resolve))
    const early = read(access, token, 'b').catch((error: Error) => error.message)
    await new Promise(setImmediate)
    // The first has been refused and asks whether that still holds; its answer was true when it asked.
    rights.latency = () => Promise.resolve()
    rights.grant('ada', 'a', 'b')
    expect(await read(access, token, 'b')).toBe('done')
    release()
    expect(await early).toBe('etcdserver: permission denied')
  })

  test('gives up when the rights change each time', async () => {
    const rights = new MemoryRights()
    rights.grant('ada', 'a')
    const token = await rights.token('ada')
    let tries = 0
    const endless = rights.access().as({ signal, token }, async () => {
      tries++
      throw EtcdError.of('AuthOldRevision')
    })
    await expect(endless).rejects.toThrow('revision of auth store is old')
    expect(tries).toBe(100)
  })

  test('what asks the store for nothing notices too that authentication was switched on', async () => {
    const rights = new MemoryRights()
    rights.enabled = false
    const access = rights.access()
    const ask = () =>
      access.as({ signal }, async (caller) => {
        caller.mustBeKnown()
        await caller.confirm()
        return 'done'
      })
    expect(await ask()).toBe('done')
    rights.enabled = true
    rights.version++
    await expect(ask()).rejects.toThrow('user name is empty')
  })

  test('an error of the work is passed on at once', async () => {
    const rights = new MemoryRights()
    rights.enabled = false
    let tries = 0
    const failing = rights.access().as({ signal }, async () => {
      tries++
      throw EtcdError.of('Compacted')
    })
    await expect(failing).rejects.toThrow('compacted')
    expect(tries).toBe(1)
    expect(rights.reads).toBe(1)
  })

  test.each([
    ['of a user who is gone', 'bob', 'invalid auth token'],
    ['that is none', undefined, 'invalid auth token'],
  ])('a token %s is refused', async (_, name, message) => {
    const rights = new MemoryRights()
    const token = name === undefined ? 'x' : await rights.token(name)
    await expect(read(rights.access(), token, 'a')).rejects.toThrow(message)
  })

  test('a password that was changed voids the token, also for who was let in before', async () => {
    const rights = new MemoryRights()
    rights.grant('ada', 'a')
    const call = { signal, token: await rights.token('ada') }
    const access = rights.access()
    const caller = await access.as(call, async (found) => found)
    rights.users.set('ada', { passwordVersion: 8n, roles: [], permissions: [permission('a')] })
    rights.version++
    await expect(read(access, call.token, 'a')).rejects.toThrow('invalid auth token')
    await expect(access.again(caller, call)).rejects.toThrow('invalid auth token')
  })

  test('what is known outlives an application that lives for one request', async () => {
    const rights = new MemoryRights()
    rights.grant('ada', 'a')
    const token = await rights.token('ada')
    const memory: AccessMemory = {}
    await read(rights.access(memory), token, 'a')
    await read(rights.access(memory), token, 'a')
    expect(rights.reads).toBe(1)
  })

  test('an invented name in a token is looked up no more once the rights are known', async () => {
    const rights = new MemoryRights()
    rights.grant('ada', 'a')
    const access = rights.access()
    await read(access, await rights.token('ada'), 'a')
    const before = rights.reads
    const stranger = new Tokens({
      key: { kind: 'secret', algorithm: 'HS256', secret: new Uint8Array(32) },
      ttl: 60,
      clock,
    })
    for (let i = 0; i < 20; i++) {
      const token = await stranger.sign({ name: `user ${i}`, passwordVersion: 7n }, 1n, KEY)
      await expect(read(access, token, 'a')).rejects.toThrow('invalid auth token')
    }
    expect(rights.reads - before, 'one for each: whether the rights are still those').toBe(20)
  })
})
