import { describe, expect, test } from 'vitest'
import { type Client, openService } from './testing/client.ts'
import { settled } from './testing/environment.ts'
import { bytes } from './testing/memory-log.ts'

describe('thousands of watchers', () => {
  test('5,000 streams share one reader, each gets the event of its key, and all is freed', async () => {
    const { log, clock, service, open } = openService()
    const clients: Client[] = []
    for (let i = 0; i < 5_000; i++) {
      const client = open().create({ key: bytes(`k${i}`), startRevision: 1n })
      clients.push(client)
    }
    const created = await Promise.all(clients.map((client) => client.read()))
    expect(created.every((answer) => answer.created)).toBe(true)
    expect(log.readsAtOnceMax).toBeLessThan(10)
    await settled()

    const { reads } = log
    const waiting = clients.map((client) => client.read())
    for (let round = 0; round < 5; round++) {
      log.write(Array.from({ length: 1_000 }, (_, i) => ({ put: `k${round * 1_000 + i}` })))
    }
    const answers = await Promise.all(waiting)
    expect(answers.map(({ events }) => events?.length)).toEqual(answers.map(() => 1))
    expect(log.reads - reads).toBeLessThan(10)

    for (const client of clients) client.leave()
    expect(service.metrics).toMatchObject({ streams: 0, watchers: 0 })
    await clock.pass(100)
    expect(clock.sleeping).toBe(0)
  })
})
