import { b64, type JsonObject } from '../support/gateway.ts'
import { KEYS, LEASES } from './generator.ts'
import { forwards, type Make, type Requests } from './rights-requests.ts'

/** Locks and elections that have a key at a time: with those of the keyspace no more than a generator of keys has. */
export const CONTESTS_MAX = 3

/** Calls of all services but KV and Auth. */
export class OtherCalls {
  readonly #requests: Requests
  /** The names of locks and elections, each new, so that nobody waits. */
  readonly #contests: Buffer[] = []

  constructor(requests: Requests) {
    this.#requests = requests
  }

  next(): Make {
    const random = this.#requests.random
    const lease = random.chance(0.9) ? random.pick(LEASES) : '999'
    return random.weighted<() => Make>([
      [5, () => this.#requests.call('/v3/watch', { create_request: forwards(this.#requests.interval()) })],
      [4, () => this.#requests.call('/v3/lease/keepalive', { ID: lease })],
      [3, () => this.#requests.call('/v3/lease/timetolive', { ID: lease, keys: random.chance(0.7) })],
      [2, () => this.#requests.call('/v3/lease/leases', {})],
      [2, () => this.#requests.call('/v3/maintenance/status', {})],
      [2, () => this.#requests.call('/v3/maintenance/alarm', {})],
      [1, () => this.#raiseAlarm()],
      [1, () => this.#requests.call('/v3/maintenance/hash', {})],
      [1, () => this.#hashKv()],
      [0.3, () => this.#requests.call('/v3/maintenance/defragment', {})],
      [0.5, () => this.#requests.call('/v3/maintenance/snapshot', {})],
      [0.5, () => this.#requests.call('/v3/maintenance/downgrade', { action: 'VALIDATE', version: '9' })],
      [0.5, () => this.#requests.call('/v3/maintenance/transfer-leadership', { targetID: '7' })],
      [2, () => this.#requests.call('/v3/cluster/member/list', { linearizable: random.chance(0.5) })],
      [0.5, () => this.#requests.call('/v3/cluster/member/add', { peerURLs: ['nonsense'] })],
      [0.5, () => this.#requests.call('/v3/cluster/member/remove', { ID: '7' })],
      [
        0.5,
        () => this.#requests.call('/v3/cluster/member/update', { ID: '7', peerURLs: ['http://127.0.0.1:1'] }),
      ],
      [0.5, () => this.#requests.call('/v3/cluster/member/promote', { ID: '7' })],
      [3, () => this.#contest('/v3/lock/lock', { lease })],
      [2, () => this.#contest('/v3/election/campaign', { lease, value: b64('v') })],
      [2, () => this.#withLeader('/v3/election/proclaim', { value: b64('w') })],
      [1, () => this.#withLeader('/v3/election/resign', {})],
      [2, () => this.#leader()],
      [2, () => this.#unlock()],
    ])()
  }

  /** Where nothing is compacted: there, and at 0, etcd may answer from what it remembers of the compaction. */
  #hashKv(): Make {
    const headers = this.#requests.caller()
    return ({ revision, compactRevision }) => {
      const asked = revision === compactRevision ? revision + 1 : revision
      return this.#requests.operation('/v3/maintenance/hashkv', { revision: String(asked) }, headers)
    }
  }

  /** Root takes it back at once: it refuses what rights are about. */
  #raiseAlarm(): Make {
    const alarm = { memberID: '7', alarm: this.#requests.random.pick(['NOSPACE', 'CORRUPT']) }
    this.#requests.queue.push(
      this.#requests.asRoot('/v3/maintenance/alarm', { ...alarm, action: 'DEACTIVATE' }),
    )
    return this.#requests.call('/v3/maintenance/alarm', {
      ...alarm,
      action: this.#requests.random.pick(['ACTIVATE', 'DEACTIVATE']),
    })
  }

  /** The name begins as some key of the keyspace does. When there are too many, root deletes the first. */
  #contest(path: string, body: JsonObject): Make {
    const start = Buffer.from(this.#requests.random.pick(KEYS), 'base64')
    const name = Buffer.concat([start, Buffer.from(String(this.#contests.length))])
    const over = this.#contests[this.#contests.push(name) - CONTESTS_MAX]
    if (over !== undefined) {
      const [key, range_end] = ['/', '0'].map((last) =>
        Buffer.concat([over, Buffer.from(last)]).toString('base64'),
      )
      this.#requests.queue.push(
        this.#requests.asRoot('/v3/kv/deleterange', { key: key ?? '', range_end: range_end ?? '' }),
      )
    }
    return this.#requests.call(path, { ...body, name: name.toString('base64') })
  }

  #withLeader(path: string, body: JsonObject): Make {
    const random = this.#requests.random
    const headers = this.#requests.manager()
    const isKnown = random.chance(0.8)
    const other = { name: random.pick(KEYS), key: random.pick(KEYS), rev: '2', lease: random.pick(LEASES) }
    return ({ leader = other }) =>
      this.#requests.operation(path, { ...body, leader: isKnown ? leader : other }, headers)
  }

  #leader(): Make {
    const headers = this.#requests.caller()
    const other = this.#requests.random.pick(KEYS)
    const isKnown = this.#requests.random.chance(0.7)
    return ({ leader }) =>
      this.#requests.operation(
        '/v3/election/leader',
        { name: isKnown ? (leader?.name ?? other) : other },
        headers,
      )
  }

  #unlock(): Make {
    const headers = this.#requests.caller()
    const other = this.#requests.random.pick(KEYS)
    const isKnown = this.#requests.random.chance(0.6)
    return ({ lockKey }) =>
      this.#requests.operation('/v3/lock/unlock', { key: isKnown ? lockKey : other }, headers)
  }
}
