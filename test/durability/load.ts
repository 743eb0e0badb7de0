import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Answer,
  b64,
  type Gateway,
  type JsonObject,
  type RangeAnswer,
  type TxnAnswer,
  text,
} from '../support/gateway.ts'
import type { SeededRandom } from '../support/random.ts'
import type { Operation } from './history.ts'

/** What a write is answered when whether it happened can't be known. */
const UNKNOWN = 'etcdserver: request timed out, possibly due to connection lost'
/** What it is answered when it can't have happened: no connection, or it waited in vain behind others that hung. */
const NOT_HAPPENED: readonly unknown[] = ['etcdserver: no leader', 'etcdserver: request timed out']

/** Keys of the load begin so. */
export const LOAD_PREFIX = 'load/'
const KEYS = ['a', 'b', 'c', 'd'].map((name) => `${LOAD_PREFIX}${name}`)

export interface Load {
  readonly operations: readonly Operation[]
  /** Answers that no client may ever get, whatever happens to the database. */
  readonly badAnswers: readonly string[]
  /** Requests whose connection broke, or that waited too long. */
  readonly unanswered: number
  /** Operations that were acknowledged so far. */
  readonly acknowledged: number
  stop(): Promise<void>
}

/**
 * Lets `clients` of one server read, put and compare-and-swap a few keys, one operation after another, until stopped.
 * `name` begins the values that they write.
 */
export function startLoad(gateway: Gateway, name: string, clients: number, random: SeededRandom): Load {
  const operations: Operation[] = []
  const badAnswers: string[] = []
  let stopped = false
  let acknowledged = 0
  let unanswered = 0
  const call = (path: string, body: JsonObject) =>
    gateway.call(path, body).catch(() => {
      unanswered++
      return undefined
    })
  const client = async (name: string) => {
    const seen = new Map<string, number>()
    for (let count = 0; !stopped; count++) {
      const operation = await randomOperation(call, `${name}-${count}`, seen, random, badAnswers)
      if (!operation) {
        await sleep(20)
        continue
      }
      operations.push(operation)
      if (operation.kind === 'read' || operation.kind === 'write') acknowledged++
      else await sleep(20)
      if (operation.kind === 'write') seen.set(operation.key, operation.revision)
      if (operation.kind === 'read') seen.set(operation.key, operation.modRevision)
    }
  }
  const running = Array.from({ length: clients }, (_, index) => client(`${name}${index}`))
  return {
    operations,
    badAnswers,
    get unanswered() {
      return unanswered
    },
    get acknowledged() {
      return acknowledged
    },
    async stop() {
      stopped = true
      await Promise.all(running)
    },
  }
}

/** One operation; undefined if it was a read that got no answer, of which there is nothing to tell. */
async function randomOperation(
  call: (path: string, body: JsonObject) => Promise<Answer | undefined>,
  value: string,
  seen: ReadonlyMap<string, number>,
  random: SeededRandom,
  badAnswers: string[],
): Promise<Operation | undefined> {
  const key = random.pick(KEYS)
  const kind = random.weighted([
    [4, 'read'],
    [3, 'put'],
    [3, 'swap'],
  ] as const)
  const request = requestOf(kind, key, value, seen.get(key) ?? 0)
  const startedAt = performance.now()
  const answer = await call(request.path, request.body)
  const timed = { key, startedAt, endedAt: performance.now() }
  if (answer?.status === 200) return acknowledgedOperation(kind, timed, value, seen.get(key) ?? 0, answer)
  const message = answer?.body.message
  const wellSaid =
    answer?.status === 503 &&
    answer.body.code === 14 &&
    (message === UNKNOWN || NOT_HAPPENED.includes(message))
  if (answer && !wellSaid) badAnswers.push(`${request.path}: ${answer.status} ${JSON.stringify(answer.body)}`)
  if (kind === 'read') return undefined
  const expected = kind === 'swap' ? { expectedModRevision: seen.get(key) ?? 0 } : {}
  return { kind: wellSaid && message !== UNKNOWN ? 'refused' : 'unknown', ...timed, value, ...expected }
}

type Kind = 'read' | 'put' | 'swap'

function requestOf(
  kind: Kind,
  key: string,
  value: string,
  expected: number,
): { path: string; body: JsonObject } {
  const put = { key: b64(key), value: b64(value) }
  switch (kind) {
    case 'read':
      return { path: '/v3/kv/range', body: { key: b64(key) } }
    case 'put':
      return { path: '/v3/kv/put', body: put }
    case 'swap': {
      const compare = [{ key: b64(key), target: 'MOD', mod_revision: String(expected) }]
      const failure = [{ request_range: { key: b64(key) } }]
      return { path: '/v3/kv/txn', body: { compare, success: [{ request_put: put }], failure } }
    }
    default:
      return kind satisfies never
  }
}

function acknowledgedOperation(
  kind: Kind,
  timed: { key: string; startedAt: number; endedAt: number },
  value: string,
  expected: number,
  { body }: Answer,
): Operation {
  const answer = body as unknown as RangeAnswer & TxnAnswer
  const revision = Number(answer.header.revision)
  if (kind === 'put') return { kind: 'write', ...timed, value, revision }
  if (kind === 'swap' && answer.succeeded) {
    return { kind: 'write', ...timed, value, revision, expectedModRevision: expected }
  }
  const range = kind === 'read' ? answer : answer.responses?.[0]?.response_range
  const kv = range?.kvs?.[0]
  const found = kv === undefined ? undefined : text(kv.value ?? '')
  return { kind: 'read', ...timed, revision, modRevision: Number(kv?.mod_revision ?? 0), value: found }
}
