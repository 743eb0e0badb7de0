import { describe, expect, it } from 'vitest'
import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { settled } from '../../service/watch/testing/environment.ts'
import { createApp } from '../app.ts'
import { fakeContext, fakeServices } from '../testing/fake-services.ts'
import { connector, openEvents } from './testing/connection.ts'

/** Everything that begins with k. */
const PREFIX = '/v3/watch?key=aw&range_end=bA'
const COMPACTED = 'etcdserver: mvcc: required revision has been compacted'

describe('events', () => {
  it('begins with the position, and goes on with what a long poll would answer', async () => {
    const { log, connect } = openEvents()
    log.put('k1')
    const source = await connect(`${PREFIX}&prev_kv=true`)
    expect(source.response.status).toBe(200)
    expect(source.response.headers.get('content-type')).toBe('text/event-stream')
    expect(source.response.headers.get('cache-control')).toBe('no-store')
    expect(await source.piece()).toBe(
      'retry: 1500\nevent: created\nid: 2\ndata: {"header":{"revision":"2"},"created":true}\n\n',
    )
    log.write([{ put: 'k1' }, { put: 'x' }, { delete: 'k2' }])
    const { prev_kv, ...event } = { prev_kv: true, ...JSON.parse((await source.next())?.data ?? '') }
    expect(prev_kv).toBe(true)
    expect(event).toMatchObject({ header: { revision: '3' } })
    expect(event.events).toHaveLength(1)
    expect(event.events[0]).toMatchObject({ kv: { mod_revision: '3' }, prev_kv: { mod_revision: '2' } })
    expect(source.reader.lastEventId).toBe('3')
    await source.close()
  })

  it('has one event for all of a revision, and for a page of the past', async () => {
    const { log, connect } = openEvents()
    log.write([{ put: 'k1' }, { put: 'k2' }])
    log.put('x')
    log.put('k3')
    log.put('x')
    const source = await connect(`${PREFIX}&start_revision=2`)
    expect(await source.next()).toMatchObject({ name: 'created', lastEventId: '1' })
    const past = await source.next()
    expect(past).toMatchObject({ name: 'message', lastEventId: '4' })
    expect(JSON.parse(past?.data ?? '').events).toHaveLength(3)
    // The position moves on at once: what isn't watched needn't be read again by the next connection.
    expect(await source.next()).toEqual({
      name: 'progress',
      data: '{"header":{"revision":"5"}}',
      lastEventId: '5',
    })
    await source.close()
  })

  it('tells of all that begin with a key by prefix', async () => {
    const { log, connect } = openEvents()
    const source = await connect('/v3/watch?encoding=utf8&key=k/&prefix')
    await source.next()
    log.write([{ put: 'k' }, { put: 'k/1' }, { put: 'k0' }])
    expect(JSON.parse((await source.next())?.data ?? '').events).toMatchObject([{ kv: { key: 'k/1' } }])
    await source.close()
  })

  it('leaves out what the filters say', async () => {
    const { log, connect } = openEvents()
    const source = await connect(`${PREFIX}&filters=NOPUT`)
    await source.next()
    log.put('k1')
    log.delete('k1')
    expect(await source.next()).toMatchObject({ lastEventId: '3' })
    await source.close()
  })
})

describe('Last-Event-ID', () => {
  it('goes on behind the id, whatever start_revision says', async () => {
    const { log, connect } = openEvents()
    for (let count = 0; count < 4; count++) log.put('k')
    const source = await connect(`${PREFIX}&start_revision=1`, '3')
    expect(await source.next()).toMatchObject({ name: 'created', lastEventId: '3' })
    const { events } = JSON.parse((await source.next())?.data ?? '')
    expect(events.map((event: { kv: object }) => event.kv)).toMatchObject([
      { mod_revision: '4' },
      { mod_revision: '5' },
    ])
    await source.close()
  })

  it('begins with the first revision behind 0', async () => {
    const { log, connect } = openEvents()
    log.put('k')
    const source = await connect(PREFIX, '0')
    expect(await source.next()).toMatchObject({ name: 'created', lastEventId: '0' })
    expect(await source.next()).toMatchObject({ name: 'message', lastEventId: '2' })
    await source.close()
  })

  it('loses nothing that is written before any event was read', async () => {
    const { log, connect } = openEvents()
    const first = await connect(PREFIX)
    await first.next()
    await first.close()
    log.put('k')
    const second = await connect(PREFIX, first.reader.lastEventId)
    await second.next()
    expect(await second.next()).toMatchObject({ name: 'message', lastEventId: '2' })
    await second.close()
  })

  it.each(['x', '-1', '1.5', '9223372036854775807', '99999999999999999999'])('refuses %s', async (id) => {
    const { response } = await openEvents().connect(PREFIX, id)
    expect(response.status).toBe(400)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toMatchObject({
      code: 3,
      message: `invalid value for Last-Event-ID: "${id}"`,
    })
  })
})

describe('idle streams', () => {
  it('show that somebody is there, and move the position on', async () => {
    const { log, clock, connect } = openEvents()
    const source = await connect(PREFIX)
    await source.next()
    log.write([{ put: 'x' }], { quietly: true })
    for (let beat = 1; beat < LIMITS.serverSentProgressMs / LIMITS.serverSentHeartbeatMs; beat++) {
      const piece = source.piece()
      await clock.pass(LIMITS.serverSentHeartbeatMs)
      expect(await piece).toBe(':\n\n')
    }
    const progress = source.next()
    await clock.pass(LIMITS.serverSentHeartbeatMs)
    expect(await progress).toMatchObject({ name: 'progress', lastEventId: '2' })
    await source.close()
  })

  it('end when their time is over, without an error', async () => {
    const { clock, connect, service } = openEvents({ streamMaxMs: 1000 })
    const source = await connect(PREFIX)
    await source.next()
    const end = source.next()
    await clock.pass(1000)
    expect(await end).toBeUndefined()
    expect(service.metrics.streams).toBe(0)
  })

  it('leave nothing behind when the client goes', async () => {
    const { clock, connect, service } = openEvents()
    const source = await connect(PREFIX)
    await source.next()
    expect(service.metrics.streams).toBe(1)
    await source.close()
    await settled()
    expect(service.metrics.streams).toBe(0)
    expect(clock.sleeping).toBe(0)
  })
})

describe('compaction', () => {
  it('of the position is told, and whoever comes back is told to stop', async () => {
    const { log, connect } = openEvents()
    for (let count = 0; count < 5; count++) log.put('k')
    log.compactRevision = 5n
    const source = await connect(PREFIX, '3')
    expect(await source.next()).toMatchObject({ name: 'created', lastEventId: '3' })
    const told = await source.next()
    expect(told).toMatchObject({ name: 'compacted', lastEventId: 'compacted' })
    expect(JSON.parse(told?.data ?? '')).toEqual({
      error: COMPACTED,
      code: 11,
      message: COMPACTED,
      compact_revision: '5',
    })
    expect(await source.next()).toBeUndefined()
    const again = await connect(PREFIX, source.reader.lastEventId)
    expect(again.response.status).toBe(204)
    expect(again.response.headers.get('cache-control')).toBe('no-store')
  })

  it('just below the position is nobody’s loss', async () => {
    const { log, connect } = openEvents()
    for (let count = 0; count < 5; count++) log.put('k')
    log.compactRevision = 5n
    const source = await connect(PREFIX, '4')
    await source.next()
    expect(await source.next()).toMatchObject({ name: 'message', lastEventId: '6' })
    await source.close()
  })
})

describe('failures', () => {
  const failing = (name: 'NoLeader' | 'UserEmpty', after: 'created' | 'nothing') =>
    connector(
      fakeContext({
        services: fakeServices({
          watch: {
            async *watch() {
              if (after === 'created') yield { header: { revision: 7n }, created: true }
              throw EtcdError.of(name)
            },
          },
        }),
      }),
    )
  const refusing = (cancelReason: string) =>
    connector(
      fakeContext({
        services: fakeServices({
          watch: {
            async *watch() {
              yield { header: { revision: 7n }, watchId: -1n, created: true, canceled: true, cancelReason }
            },
          },
        }),
      }),
    )

  it('before the first event are answers of their own', async () => {
    const { response } = await failing('NoLeader', 'nothing')(PREFIX)
    expect(response.status).toBe(503)
    expect(await response.json()).toMatchObject({ code: 14, message: 'etcdserver: no leader' })
  })

  it('that pass are outlived by whoever was connected before', async () => {
    const source = await failing('NoLeader', 'nothing')(PREFIX, '5')
    expect(source.response.status).toBe(200)
    const told = await source.next()
    expect(told).toMatchObject({ name: 'failed', lastEventId: '5' })
    expect(JSON.parse(told?.data ?? '')).toMatchObject({ code: 14 })
    expect(source.reader.retryMs).toBeGreaterThanOrEqual(1000)
    expect(await source.next()).toBeUndefined()
    const denied = await failing('UserEmpty', 'nothing')(PREFIX, '5')
    expect(denied.response.status).toBe(400)
  })

  it('later are the last event, which leaves the id alone', async () => {
    const source = await failing('NoLeader', 'created')(PREFIX)
    await source.next()
    expect(await source.next()).toMatchObject({ name: 'failed', lastEventId: '7' })
    expect(await source.next()).toBeUndefined()
  })

  it.each([
    [400, 3, 'mvcc: watcher range is empty', 'mvcc: watcher range is empty'],
    [
      403,
      7,
      'etcdserver: permission denied',
      'rpc error: code = PermissionDenied desc = etcdserver: permission denied',
    ],
    [
      401,
      16,
      'etcdserver: invalid auth token',
      'rpc error: code = Unauthenticated desc = etcdserver: invalid auth token',
    ],
    [400, 11, COMPACTED, COMPACTED],
  ])('a watch that is refused is a %d', async (status, code, message, reason) => {
    const { response } = await refusing(reason)(PREFIX)
    expect(response.status).toBe(status)
    expect(await response.json()).toMatchObject({ code, message })
  })

  it.each([
    ['key=!', 'invalid value for key: "!"'],
    [
      'keys=app/',
      'unknown parameter "keys"; there are key, range_end, prefix, start_revision, prev_kv, filters, encoding, access_token',
    ],
    ['encoding=utf8', expect.stringContaining('key is not given')],
  ])('a query that can’t be read is a 400: %s', async (query, message) => {
    const { response } = await openEvents().connect(`/v3/watch?${query}`)
    expect(response.status).toBe(400)
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toMatchObject({ code: 3, message })
  })

  it('a deadline ends the stream', async () => {
    const { clock, connect } = openEvents()
    const source = await connect(PREFIX, '', { 'Grpc-Timeout': '5S' })
    await source.next()
    const told = source.next()
    await clock.pass(5000)
    expect(await told).toMatchObject({ name: 'failed', lastEventId: '1' })
    expect(await source.next()).toBeUndefined()
  })
})

describe('the door', () => {
  it('takes a token in the query, as a header can’t be sent', async () => {
    const { calls, connect } = openEvents()
    const headers = { Authorization: 'Bearer h' }
    for (const source of [
      await connect(`${PREFIX}&access_token=q`),
      await connect(`${PREFIX}&access_token=q`, '', headers),
      await connect(PREFIX),
    ]) {
      await source.close()
    }
    expect(calls.map(({ token }) => token)).toEqual(['q', 'h', undefined])
  })

  it('alone takes it there', async () => {
    const tokens: (string | undefined)[] = []
    const services = fakeServices({
      longPoll: async (_, { token }) => {
        tokens.push(token)
        return { revision: 1n, events: [] }
      },
    })
    const target = `http://test${PREFIX}&access_token=q&wait=0`
    const response = await createApp().fetch(new Request(target), { context: fakeContext({ services }) })
    expect(tokens).toEqual([undefined])
    expect([...response.headers].flat().join()).not.toContain('access_token')
  })

  it.each([
    ['text/event-stream', 200],
    ['text/html, text/event-stream;q=0.5', 200],
    ['*/*', 501],
    ['text/event-streams', 501],
  ])('opens to Accept: %s with %d', async (accept, status) => {
    const source = await openEvents().connect(PREFIX, '', { Accept: accept })
    expect(source.response.status).toBe(status)
    if (status === 501) expect(source.response.headers.get('cache-control')).toBe('no-store')
    await source.close()
  })

  it('leaves those who wait to the long poll, whose URL caches know', async () => {
    const { response } = await connector(fakeContext())(`${PREFIX}&wait=0`)
    expect(response.headers.get('content-type')).toBe('application/json')
  })
})
