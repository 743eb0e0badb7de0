import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../etcd/limits.ts'
import { header, openService, short } from './testing/client.ts'
import { bytes } from './testing/memory-log.ts'

describe('the database away', () => {
  test('watches wait, and go on where they were', async () => {
    const { log, clock, open } = openService()
    log.put('a')
    const live = open().create({ key: bytes('a') })
    const past = open().create({ key: bytes('a'), startRevision: 2n })
    log.revisionsPerRead = 1n
    await live.read()
    await past.read()
    expect(short(await past.read()).events).toEqual(['+a@2'])
    log.isAway = true
    for (let i = 0; i < 3; i++) log.write([{ put: 'a' }], { quietly: true })
    await clock.pass(120_000)
    log.isAway = false
    await clock.pass(5_000)
    for (const client of [live, past]) {
      const seen: string[] = []
      while (seen.length < 3) seen.push(...short(await client.read()).events)
      expect(seen).toEqual(['+a@3', '+a@4', '+a@5'])
      client.leave()
    }
  })

  test('a stream that requires a leader ends when it is away for long, and only then', async () => {
    const { log, clock, service, open } = openService()
    const demanding = open({ requiresLeader: true }).create({ key: bytes('a') })
    const patient = open().create({ key: bytes('a') })
    await demanding.read()
    await patient.read()
    log.isAway = true
    await clock.pass(LIMITS.noLeaderMs / 2)
    log.isAway = false
    await clock.pass(5_000)
    expect(service.metrics.streams).toBe(2)
    log.isAway = true
    const outcome = expect(demanding.read()).rejects.toThrow('etcdserver: no leader')
    await clock.pass(LIMITS.noLeaderMs + 2_000)
    await outcome
    expect(service.metrics.streams).toBe(1)
    const late = open({ requiresLeader: true }).create({ key: bytes('a') })
    const refused = expect(late.read()).rejects.toThrow('etcdserver: no leader')
    await clock.pass(2_000)
    await refused
    log.isAway = false
    await clock.pass(5_000)
    log.put('a')
    expect(short(await patient.read()).events).toEqual(['+a@2'])
    patient.leave()
  })

  test('a new stream fails in time with the error of the store, so that its client can go elsewhere', async () => {
    for (const startRevision of [0n, 1n]) {
      const { log, clock, service, open } = openService()
      log.isAway = true
      const client = open().create({ key: bytes('a'), startRevision })
      const outcome = expect(client.read()).rejects.toThrow('etcdserver: no leader')
      await clock.pass(LIMITS.requestTimeoutMs + 5_000)
      await outcome
      expect(service.metrics.streams).toBe(0)
    }
  })

  test('a further watch of a stream waits instead', async () => {
    const { log, clock, open } = openService()
    const client = open().create({ key: bytes('a') })
    await client.read()
    log.isAway = true
    client.create({ key: bytes('b') })
    await clock.pass(60_000)
    log.isAway = false
    await clock.pass(5_000)
    expect(await client.read()).toEqual({ header: header(1n), watchId: 1n, created: true })
    client.leave()
  })
})
