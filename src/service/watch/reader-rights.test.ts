import { describe, expect, test, vi } from 'vitest'
import { EtcdError } from '../../etcd/errors.ts'
import { ReaderRights } from './reader-rights.ts'
import { MemoryAccess } from './testing/access.ts'
import { ALL, openService, short } from './testing/client.ts'
import { settled } from './testing/environment.ts'
import { bytes } from './testing/memory-log.ts'

const DENIED = 'rpc error: code = PermissionDenied desc = etcdserver: permission denied'

/** Each change of the rights is a new version of them. */
function setUp(sharedTail: boolean) {
  const opened = openService({ sharedTail })
  const { access } = opened.log
  return {
    ...opened,
    forbid(key: string) {
      access.forbidden.add(key)
      access.authVersion++
    },
    permit(key: string) {
      access.forbidden.delete(key)
      access.authVersion++
    },
  }
}

describe.each([true, false])('the rights of a watch (one tail for all: %s)', (sharedTail) => {
  test('without them it is refused as etcd does it, and the stream goes on', async () => {
    const { log, open, forbid } = setUp(sharedTail)
    forbid('a')
    const client = open()
      .create({ key: bytes('a') })
      .create({ key: bytes('b') })
    expect(await client.read()).toMatchObject({
      watchId: -1n,
      created: true,
      canceled: true,
      cancelReason: DENIED,
    })
    expect(await client.read()).toMatchObject({ watchId: 0n, created: true })
    log.put('b')
    expect(short(await client.read()).events).toEqual(['+b@2'])
    client.leave()
  })

  test('when they go it ends before the next event, and the others of its stream go on', async () => {
    const { log, open, forbid } = setUp(sharedTail)
    const client = open()
      .create({ key: bytes('a') })
      .create({ key: bytes('b') })
    await client.read()
    await client.read()
    log.put('a')
    expect(short(await client.read()).events).toEqual(['+a@2'])
    forbid('a')
    log.put('a')
    log.put('b')
    expect(await client.read()).toMatchObject({
      header: { revision: 4n },
      watchId: 0n,
      canceled: true,
      cancelReason: DENIED,
    })
    expect(short(await client.read())).toEqual({ revision: 4n, watchId: 1n, events: ['+b@4'] })
    client.leave()
  })

  test('when they go it ends though nothing happens any more', async () => {
    const { open, forbid, clock } = setUp(sharedTail)
    const client = open().create({ key: bytes('a') })
    await client.read()
    forbid('a')
    await clock.pass(200)
    expect(await client.read()).toMatchObject({ watchId: 0n, canceled: true, cancelReason: DENIED })
    client.leave()
  })

  test('what it has unsent when they go is not sent', async () => {
    const { log, open, forbid } = setUp(sharedTail)
    const client = open().create({ key: bytes('a') })
    await client.read()
    log.put('a')
    log.put('a')
    await settled()
    forbid('a')
    log.put('a')
    await settled()
    expect(await client.read()).toMatchObject({ watchId: 0n, canceled: true, cancelReason: DENIED })
    client.leave()
  })

  test('of the past: a page that was read after they went is not sent', async () => {
    const { log, open, forbid } = setUp(sharedTail)
    log.revisionsPerRead = 2n
    for (let i = 0; i < 6; i++) log.put('a')
    const client = open().create({ ...ALL, startRevision: 2n })
    await client.read()
    const seen = short(await client.read()).events
    expect(seen).toEqual(['+a@2', '+a@3'])
    forbid('\0')
    for (let last = await client.read(); ; last = await client.read()) {
      if (last.canceled) {
        expect(last).toMatchObject({ watchId: 0n, cancelReason: DENIED })
        break
      }
      // One page was read already before.
      expect(short(last).events).toEqual(['+a@4', '+a@5'])
    }
    client.leave()
  })

  test('when they go while it begins it is refused', async () => {
    const { log, open, forbid } = setUp(sharedTail)
    log.put('a')
    let reads = 0
    log.latency = async (when) => {
      if (when === 'before' && reads++ === 0) forbid('a')
    }
    const client = open().create({ key: bytes('a'), startRevision: 1n })
    expect(await client.read()).toMatchObject({
      watchId: -1n,
      created: true,
      canceled: true,
      cancelReason: DENIED,
    })
    client.leave()
  })

  test('when they change and are still there it sees everything once', async () => {
    const { log, open, forbid, permit } = setUp(sharedTail)
    const client = open().create({ key: bytes('a') })
    await client.read()
    forbid('x')
    log.put('a')
    permit('x')
    log.put('a')
    expect(short(await client.read()).events).toEqual(['+a@2'])
    expect(short(await client.read()).events).toEqual(['+a@3'])
    client.leave()
  })

  test('while they cannot be read it waits, and nothing is lost or shown', async () => {
    const { log, open, clock, forbid } = setUp(sharedTail)
    const client = open().create({ key: bytes('a') })
    await client.read()
    forbid('x')
    log.access.isAway = true
    log.put('a')
    const next = client.read()
    await clock.pass(1000)
    log.access.isAway = false
    await clock.pass(5000)
    expect(short(await next).events).toEqual(['+a@2'])
    client.leave()
  })

  test('when they go, what was asked of them just before it is not believed', async () => {
    const { log, open, forbid, clock } = setUp(sharedTail)
    const client = open().create({ key: bytes('a') })
    await client.read()
    const before = await log.access.again()
    forbid('a')
    log.access.outdated = before
    log.put('a')
    const next = client.read()
    await clock.pass(5000)
    expect(await next).toMatchObject({ watchId: 0n, canceled: true, cancelReason: DENIED })
    client.leave()
  })

  test('a long poll fails when they go while it waits', async () => {
    const { service, forbid, clock } = setUp(sharedTail)
    const request = { ...ALL, startRevision: 0n, prevKv: false, filters: [], waitMs: 30_000 }
    const answer = service.longPoll(request, { signal: new AbortController().signal })
    const refused = expect(answer).rejects.toThrow(EtcdError.of('PermissionDenied'))
    await settled()
    forbid('\0')
    await clock.pass(1000)
    await refused
  })

  test('and it says so when they go while it looks into the past, too', async () => {
    const { service, log, open, forbid, clock } = setUp(sharedTail)
    const client = open().create({ key: bytes('b') })
    await client.read()
    let release = () => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    log.latency = async () => {
      if (log.queries.at(-1)?.after === 0n) await held
    }
    const request = { ...ALL, startRevision: 1n, prevKv: false, filters: [], waitMs: 30_000 }
    const answer = service.longPoll(request, { signal: new AbortController().signal })
    const refused = expect(answer).rejects.toThrow(EtcdError.of('PermissionDenied'))
    await settled()
    // Seen by the other's read first.
    forbid('\0')
    log.put('b')
    await client.read()
    release()
    await clock.pass(1000)
    await refused
    client.leave()
  })
})

test('a watch that begins under old rights while the others are asked for again is asked for next', async () => {
  const access = new MemoryAccess()
  const rights = new ReaderRights(access, { signal: new AbortController().signal })
  const range = { key: bytes('a'), rangeEnd: new Uint8Array(0) }
  await rights.admit(range)
  const before = await access.again()
  access.authVersion++
  const now = await access.again()
  let answer = (_: typeof now) => {}
  const again = vi.spyOn(access, 'again').mockImplementationOnce(() => new Promise((tell) => (answer = tell)))
  const renewal = rights.renew(2n)
  access.outdated = before
  await rights.admit(range)
  answer(now)
  await renewal
  expect(again).toHaveBeenCalledTimes(2)
  expect(rights.areOf(2n)).toBe(false)
  await rights.renew(2n)
  expect(rights.areOf(2n)).toBe(true)
})
