import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bytesToString } from '../../byte-string.ts'
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import {
  LockRequestSchema,
  LockResponseSchema,
  UnlockRequestSchema,
} from '../../etcd/generated/v3lockpb/lock_pb.ts'
import { NEVER } from '../../never.ts'
import type { Call } from '../call.ts'
import { MemoryServices } from '../coordination/testing/memory-services.ts'
import { settled } from '../watch/testing/environment.ts'
import { bytes } from '../watch/testing/memory-log.ts'
import { createLock } from './index.ts'

/** After so long, in milliseconds, whoever had to read alone looks again at what others read. */
const LOOK_AGAIN_MS = 100

function setUp() {
  const services = new MemoryServices()
  const service = createLock(services)
  return {
    services,
    /** Locks `m`, and gives the key and the header's revision. */
    async lock(lease: bigint, signal = NEVER, caller: Omit<Call, 'signal'> = {}) {
      const request = create(LockRequestSchema, { name: bytes('m'), lease })
      const { header, key } = create(LockResponseSchema, await service.lock(request, { ...caller, signal }))
      return { key: bytesToString(key), revision: header?.revision }
    },
    async unlock(key: string) {
      await service.unlock(create(UnlockRequestSchema, { key: bytes(key) }), { signal: NEVER })
    },
  }
}

describe('the lock', () => {
  test('is a key under the name and the lease; the same lease has it at once', async () => {
    const { services, lock, unlock } = setUp()
    expect(await lock(0xabn)).toEqual({ key: 'm/ab', revision: 2n })
    expect(await lock(0xabn)).toEqual({ key: 'm/ab', revision: 2n })
    await unlock('m/ab')
    expect(services.keys).toEqual([])
    expect(await lock(-0xabn)).toEqual({ key: 'm/-ab', revision: 4n })
  })

  test('goes from one to the next in the order in which they came', async () => {
    const { services, lock, unlock } = setUp()
    await lock(3n)
    const second = lock(2n)
    await settled()
    const third = lock(1n)
    await settled()
    expect(services.keys).toEqual(['m/1', 'm/2', 'm/3'])
    await unlock('m/3')
    expect(await second).toEqual({ key: 'm/2', revision: 5n })
    expect(services.service.metrics.watchers).toBe(1)
    await unlock('m/2')
    expect(await third).toEqual({ key: 'm/1', revision: 6n })
  })

  test('without a lease is granted one of a minute', async () => {
    const { services, lock } = setUp()
    expect(await lock(0n)).toMatchObject({ key: 'm/101' })
    expect(services.granted).toEqual([60n])
  })

  test('tells a waiter whose lease has ended, but only when its turn comes', async () => {
    const { services, lock, unlock } = setUp()
    await lock(1n)
    const waiting = lock(2n)
    await settled()
    services.store.delete('m/2')
    await settled()
    expect(services.service.metrics.watchers).toBe(1)
    await unlock('m/1')
    await expect(waiting).rejects.toThrow('mutex: session is expired')
  })

  test('waits for the one before it only, whoever else goes', async () => {
    const { services, lock, unlock } = setUp()
    await lock(1n)
    const leaving = new AbortController()
    const second = lock(2n, leaving.signal)
    await settled()
    const third = lock(3n)
    await settled()
    leaving.abort()
    await expect(second).rejects.toMatchObject({ code: GrpcCode.Canceled })
    await settled()
    expect(services.keys).toEqual(['m/1', 'm/3'])
    await unlock('m/1')
    expect(await third).toMatchObject({ key: 'm/3' })
  })

  test.each([{ token: 'a.1' }, { certificateName: 'alice' }])(
    'the key of a waiter that has gone is taken back in the same name: %j',
    async (caller) => {
      const { services, lock } = setUp()
      await lock(1n)
      const leaving = new AbortController()
      const waiting = lock(2n, leaving.signal, caller)
      await settled()
      leaving.abort()
      await expect(waiting).rejects.toMatchObject({ code: GrpcCode.Canceled })
      expect(services.keys).toEqual(['m/1'])
      expect(services.writes.slice(1)).toEqual([
        { ...caller, signal: leaving.signal },
        { ...caller, signal: NEVER },
      ])
    },
  )

  test.each([
    { lock: 'free', moments: 2 },
    { lock: 'held', moments: 8 },
  ])(
    'a client that goes away at any moment leaves no key behind: a $lock lock',
    async ({ lock: state, moments }) => {
      for (let moment = 0; moment < moments; moment++) {
        const { services, lock } = setUp()
        if (state === 'held') await lock(1n)
        const leaving = new AbortController()
        let passed = 0
        services.latency = async () => {
          if (passed++ === moment) leaving.abort()
        }
        const waiting = expect(lock(2n, leaving.signal)).rejects.toMatchObject({ code: GrpcCode.Canceled })
        await settled()
        services.store.delete('m/1')
        await waiting
        expect(services.keys).toEqual([])
      }
    },
  )

  test('a second call of the same lease that goes away does not take the lock from the first', async () => {
    const { services, lock } = setUp()
    await lock(1n)
    const leaving = new AbortController()
    services.latency = async (when) => {
      if (when === 'after') leaving.abort()
    }
    await lock(1n, leaving.signal)
    expect(services.keys).toEqual(['m/1'])
  })

  test('errors keep their text and lose their code', async () => {
    const { services, unlock, lock } = setUp()
    const withoutCode = (name: 'EmptyKey' | 'LeaseNotFound') => ({
      code: GrpcCode.Unknown,
      message: EtcdError.of(name).message,
    })
    await expect(unlock('')).rejects.toMatchObject(withoutCode('EmptyKey'))
    services.failure = EtcdError.of('LeaseNotFound')
    await expect(lock(1n)).rejects.toMatchObject(withoutCode('LeaseNotFound'))
  })

  test('waiters of a server that stops are told, and their keys taken back before the store is closed', async () => {
    const { services, lock } = setUp()
    await lock(1n)
    const waiting = lock(2n)
    waiting.catch(() => {})
    await settled()
    services.service.close()
    await services.calls.settled()
    expect(services.keys).toEqual(['m/1'])
    await expect(waiting).rejects.toMatchObject({ code: GrpcCode.Unavailable })
  })

  test('a key that cannot be taken back is told to the log', async () => {
    const { services, lock } = setUp()
    await lock(1n)
    const leaving = new AbortController()
    const waiting = lock(2n, leaving.signal)
    await settled()
    services.failure = EtcdError.of('NoLeader')
    leaving.abort()
    await expect(waiting).rejects.toMatchObject({ code: GrpcCode.Canceled })
    expect(services.environment.lines).toMatchObject([{ level: 'warn' }])
  })

  test('in any schedule one has it at a time, and in the end nobody is left', async () => {
    const contestants = fc.array(fc.boolean(), { minLength: 2, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), contestants, async (scheduler, leaves) => {
        const { services, lock, unlock } = setUp()
        const turn = (name: string) => scheduler.schedule(Promise.resolve(), name)
        services.latency = turn
        services.store.latency = turn
        let holders = 0
        const run = async (mayLeave: boolean, i: number): Promise<void> => {
          const leaving = new AbortController()
          if (mayLeave) void turn(`${i} leaves`).then(() => leaving.abort())
          const held = await lock(BigInt(i + 1), leaving.signal).catch((error: unknown) => {
            if (!(error instanceof EtcdError) || !error.is('Canceled')) throw error
          })
          if (held === undefined) return
          expect(++holders).toBe(1)
          await turn(`${i} works`)
          holders--
          await unlock(held.key)
        }
        const all = Promise.all(leaves.map(run))
        let isDone = false
        const ended = all.finally(() => {
          isDone = true
        })
        ended.catch(() => {})
        let stillMs = 0
        while (!isDone) {
          if (scheduler.count() > 0) {
            await scheduler.waitNext(1)
            stillMs = 0
            continue
          }
          await settled()
          if (scheduler.count() > 0 || isDone) continue
          // Whoever came while others were reading has read alone, and looks again after a moment.
          await services.clock.pass(LOOK_AGAIN_MS)
          stillMs += LOOK_AGAIN_MS
          expect(stillMs, 'somebody waits for nothing').toBeLessThan(10 * LOOK_AGAIN_MS)
        }
        await ended
        expect(services.keys).toEqual([])
        services.service.close()
      }),
      { numRuns: 300, ...(process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) }) },
    )
  }, 60_000)
})
