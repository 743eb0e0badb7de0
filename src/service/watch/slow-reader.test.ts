import { describe, expect, test, vi } from 'vitest'
import { RecentLog } from './recent-log.ts'
import { ALL, header, openService, short } from './testing/client.ts'
import { settled } from './testing/environment.ts'
import { bytes } from './testing/memory-log.ts'

describe('slow readers', () => {
  const BIG = new Uint8Array(1_000_000)

  test('hold a bounded amount, then read the log by position; nothing is lost or doubled', async () => {
    const { log, service, open } = openService()
    log.revisionsPerRead = 2n
    const client = open()
      .create({ key: bytes('a') })
      .create({ key: bytes('b') })
    await client.read()
    await client.read()
    await settled()
    for (let i = 0; i < 30; i++) {
      log.write([{ put: 'a', value: BIG }, { put: 'b' }])
      await settled()
    }
    expect(service.metrics.slowWatchers).toBeGreaterThan(0)
    client.progress()
    const seen: Record<string, bigint[]> = { '0': [], '1': [] }
    while ((seen[0]?.length ?? 0) < 30 || (seen[1]?.length ?? 0) < 30) {
      const answer = await client.read()
      const revisions = (answer.events ?? []).map(({ kv }) => kv?.modRevision ?? 0n)
      if (revisions.length > 0) expect(answer.header?.revision).toBe(revisions.at(-1))
      else expect(answer).toEqual({ header: header(31n), watchId: -1n })
      seen[String(answer.watchId)]?.push(...revisions)
    }
    const all = Array.from({ length: 30 }, (_, i) => BigInt(i + 2))
    expect(seen).toEqual({ '0': all, '1': all })
    log.put('a')
    expect(short(await client.read())).toEqual({ revision: 32n, watchId: 0n, events: ['+a@32'] })
    expect(service.metrics.slowWatchers).toBe(0)
    client.leave()
  })

  test('many watches that fall behind share what the tail has read a moment ago', async () => {
    const { log, service, open } = openService()
    const client = open()
    for (let i = 0; i < 200; i++) client.create({ key: bytes('a') })
    for (let i = 0; i < 200; i++) await client.read()
    await settled()
    const { reads } = log
    for (let i = 0; i < 3; i++) {
      log.write([{ put: 'a', value: new Uint8Array(40_000) }])
      await settled()
    }
    expect(service.metrics.slowWatchers).toBeGreaterThan(100)
    const seen = new Map<bigint, bigint[]>()
    while ([...seen.values()].flat().length < 600) {
      const { watchId = -1n, events = [] } = await client.read()
      const revisions = events.map(({ kv }) => kv?.modRevision ?? 0n)
      seen.set(watchId, [...(seen.get(watchId) ?? []), ...revisions])
    }
    expect(seen.size).toBe(200)
    for (const revisions of seen.values()) expect(revisions).toEqual([2n, 3n, 4n])
    expect(log.reads - reads).toBeLessThan(10)
    await settled()
    expect(service.metrics.slowWatchers).toBe(0)
    client.leave()
  })

  test('watches that have come as far as the tail ask the log, not again what the tail saw', async () => {
    const { log, open } = openService()
    log.revisionsPerRead = 2n
    log.latency = async () => {
      for (let turn = 0; turn < 1_000; turn++) await Promise.resolve()
    }
    const looks = vi.spyOn(RecentLog.prototype, 'page')
    const client = open()
    for (let i = 0; i < 200; i++) client.create({ key: bytes('a') })
    for (let i = 0; i < 200; i++) await client.read()
    // Others wrote more than the tail reads at once.
    for (let i = 0; i < 6; i++) {
      log.write([{ put: 'a', value: new Uint8Array(40_000) }], { quietly: i < 5 })
    }
    let seen = 0
    while (seen < 1_200) seen += (await client.read()).events?.length ?? 0
    expect(looks.mock.calls.length).toBeLessThan(1_000)
    looks.mockRestore()
    client.leave()
  })

  test('a stuck one costs no reads of its own after its page', async () => {
    const { log, clock, open } = openService()
    const client = open().create({ key: bytes('a') })
    await client.read()
    for (let i = 0; i < 30; i++) {
      log.write([{ put: 'a', value: BIG }])
      await settled()
    }
    await clock.pass(1_000)
    const own = log.queries.filter(({ range }) => range !== undefined).length
    await clock.pass(60_000)
    expect(log.queries.filter(({ range }) => range !== undefined).length).toBe(own)
    client.leave()
  })

  test('one that sends requests and reads nothing is not read from', async () => {
    const { log, open } = openService()
    const client = open().create({ key: bytes('a') })
    await client.read()
    const { reads } = log
    for (let i = 0; i < 200; i++) client.progress()
    await settled()
    expect(log.reads - reads).toBeLessThan(20)
    for (let i = 0; i < 200; i++) expect((await client.read()).watchId).toBe(-1n)
    client.leave()
  })

  test('fragments, only for those who asked', async () => {
    const { log, open } = openService()
    const client = open()
      .create({ ...ALL, fragment: true })
      .create(ALL)
    await client.read()
    await client.read()
    log.write([1, 2, 3, 4].map((i) => ({ put: `k${i}`, value: BIG })))
    const answers = [await client.read(), await client.read(), await client.read()]
    expect(answers.map(({ watchId, fragment, events }) => [watchId, fragment, events?.length])).toEqual([
      [0n, true, 2],
      [0n, false, 2],
      [1n, false, 4],
    ])
    client.leave()
  })
})
