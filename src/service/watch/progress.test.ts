import { describe, expect, test } from 'vitest'
import { LIMITS } from '../../etcd/limits.ts'
import type { WatchAnswer } from './answers.ts'
import { header, openService, short } from './testing/client.ts'
import { settled } from './testing/environment.ts'
import { bytes } from './testing/memory-log.ts'

describe('progress', () => {
  test('a request is answered for the whole stream, with what other servers wrote meanwhile', async () => {
    const { log, open } = openService()
    const client = open()
      .create({ key: bytes('a') })
      .create({ key: bytes('b') })
    await client.read()
    await client.read()
    log.write([{ put: 'a' }, { put: 'x' }], { quietly: true })
    log.write([{ put: 'x' }], { quietly: true })
    client.progress()
    expect(short(await client.read())).toEqual({ revision: 2n, watchId: 0n, events: ['+a@2'] })
    expect(await client.read()).toEqual({ header: header(3n), watchId: -1n })
    client.leave()
  })

  test('etcd: there is no answer without a watch, or with one in the future', async () => {
    const { log, open } = openService()
    const client = open()
      .progress()
      .create({ key: bytes('a'), startRevision: 3n })
      .progress()
    expect((await client.read()).created).toBe(true)
    await settled()
    log.put('x')
    log.put('x')
    client.progress()
    expect(await client.read()).toEqual({ header: header(3n), watchId: -1n })
    client.leave()
  })

  test('progress_notify: every ten minutes and up to a tenth, but not after events', async () => {
    const { log, clock, open } = openService()
    const client = open()
      .create({ key: bytes('a'), progressNotify: true })
      .create({ key: bytes('b') })
      .create({ key: bytes('c'), progressNotify: true })
    for (let i = 0; i < 3; i++) await client.read()
    const intervalMs = 1.05 * LIMITS.watchProgressIntervalMs
    log.put('a')
    expect(short(await client.read()).events).toEqual(['+a@2'])
    const seen: WatchAnswer[] = []
    const reading = (async () => {
      for (;;) seen.push(await client.read())
    })().catch(() => {})
    await clock.pass(intervalMs - 1_000)
    expect(seen).toEqual([])
    await clock.pass(2_000)
    expect(seen).toEqual([{ header: header(2n), watchId: 2n }])
    await clock.pass(intervalMs)
    expect(seen.slice(1)).toEqual([
      { header: header(2n), watchId: 0n },
      { header: header(2n), watchId: 2n },
    ])
    client.leave()
    await reading
  })
})
