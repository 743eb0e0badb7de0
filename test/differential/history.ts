import type { GatewayServer } from '../support/etcd.ts'
import { b64, type Json, type JsonObject } from '../support/gateway.ts'
import type { SeededRandom } from '../support/random.ts'
import { canonical, canonicalAnswer } from './canonical.ts'
import { OperationGenerator, type StoreState } from './generator.ts'

/** The server whose behaviour is right, and the one that is tested. */
export interface Pair {
  readonly reference: GatewayServer
  readonly candidate: GatewayServer
}

/** Something that the two servers said differently. */
export interface Difference {
  readonly what: string
  readonly reference: Json
  readonly candidate: Json
}

const EVERYTHING = { key: b64('\0'), range_end: b64('\0') }
/** Written last and nowhere else: a watcher that has seen it has seen all. */
const SENTINEL = b64('the end')

/** Sends the same request to both: their answers, and whether they differ. */
export async function ask(
  pair: Pair,
  path: string,
  body: JsonObject,
): Promise<{ answer: JsonObject; difference?: Difference }> {
  const [reference, candidate] = await Promise.all([
    pair.reference.gateway.call(path, body).then(canonicalAnswer),
    pair.candidate.gateway.call(path, body).then(canonicalAnswer),
  ])
  const difference = compare(`${path} ${JSON.stringify(body)}`, reference, candidate)
  return difference ? { answer: reference, difference } : { answer: reference }
}

function compare(what: string, reference: Json, candidate: Json): Difference | undefined {
  return JSON.stringify(reference) === JSON.stringify(candidate) ? undefined : { what, reference, candidate }
}

/** Reads the whole history that is left of both stores, in every way there is, and gives the first difference. */
export async function compareHistories(
  pair: Pair,
  state: StoreState,
  random: SeededRandom,
): Promise<Difference | undefined> {
  const { answer, difference } = await ask(pair, '/v3/kv/put', { key: SENTINEL })
  if (difference) return difference
  const end = { ...state, revision: headerRevision(answer) }
  return (
    (await compareRevisions(pair, end)) ??
    (await compareEvents(pair, end)) ??
    (await compareWatches(pair, end, random))
  )
}

export function headerRevision(answer: JsonObject): number {
  const header = (answer.body as JsonObject).header as JsonObject | undefined
  return Number(header?.revision ?? 0)
}

/**
 * Everything at every revision that is left, and its hash. The hash is asked only above the compacted
 * revision: at it etcd answers from what it remembers of the time before the compaction.
 */
async function compareRevisions(pair: Pair, state: StoreState): Promise<Difference | undefined> {
  for (let revision = Math.max(state.compactRevision, 1); revision <= state.revision; revision++) {
    const { difference } = await ask(pair, '/v3/kv/range', { ...EVERYTHING, revision })
    if (difference) return difference
    if (revision === state.compactRevision || state.rewritten.has(revision)) continue
    const hash = await ask(pair, '/v3/maintenance/hashkv', { revision })
    if (hash.difference) return hash.difference
  }
  return undefined
}

async function compareEvents(pair: Pair, state: StoreState): Promise<Difference | undefined> {
  const request = { ...EVERYTHING, start_revision: Math.max(state.compactRevision, 1), prev_kv: true }
  const sentinel = (events: readonly JsonObject[]) => events.some((event) => keyOf(event) === SENTINEL)
  const [reference, candidate] = await Promise.all([
    watchEvents(pair.reference, request, sentinel),
    watchEvents(pair.candidate, request, sentinel),
  ])
  return compare(`/v3/watch ${JSON.stringify(request)}`, reference, candidate)
}

/**
 * Watches of random intervals, filters and start revisions. How many events each has to give is taken from the
 * reference's own whole history.
 */
async function compareWatches(
  pair: Pair,
  state: StoreState,
  random: SeededRandom,
): Promise<Difference | undefined> {
  const generator = new OperationGenerator(random)
  const whole = { ...EVERYTHING, start_revision: Math.max(state.compactRevision, 1) }
  const all = await watchEvents(pair.reference, whole, (events) =>
    events.some((event) => keyOf(event) === SENTINEL),
  )
  for (let i = 0; i < 12; i++) {
    const request = generator.watchRequest(state)
    const expected = all.filter((event) => isAskedFor(event, request)).length
    const complete = (events: readonly JsonObject[]) => events.length >= expected
    const [reference, candidate] = await Promise.all([
      watchEvents(pair.reference, request, complete),
      watchEvents(pair.candidate, request, complete),
    ])
    const difference = compare(`/v3/watch ${JSON.stringify(request)}`, reference, candidate)
    if (difference) return difference
  }
  return undefined
}

function isAskedFor(event: JsonObject, request: JsonObject): boolean {
  const kv = event.kv as JsonObject
  const key = bytes(kv.key)
  const from = bytes(request.key)
  const end = request.range_end === undefined ? undefined : bytes(request.range_end)
  const inside =
    end === undefined ? key.equals(from) : key.compare(from) >= 0 && (isZeroByte(end) || key.compare(end) < 0)
  const filters = (request.filters ?? []) as readonly string[]
  const filtered = filters.includes(event.type === 'DELETE' ? 'NODELETE' : 'NOPUT')
  return inside && !filtered && Number(kv.mod_revision) >= Number(request.start_revision)
}

const bytes = (value: Json | undefined): Buffer =>
  Buffer.from(typeof value === 'string' ? value : '', 'base64')
const isZeroByte = (value: Buffer): boolean => value.length === 1 && value[0] === 0
const keyOf = (event: JsonObject): Json | undefined => (event.kv as JsonObject | undefined)?.key

/** The events of a watch, until `complete` says that these are all or none came for a while. */
async function watchEvents(
  server: GatewayServer,
  create_request: JsonObject,
  complete: (events: readonly JsonObject[]) => boolean,
): Promise<JsonObject[]> {
  const stream = server.gateway.stream('/v3/watch', { create_request })
  const events: JsonObject[] = []
  try {
    let created = await stream.next()
    if (((created?.result ?? {}) as JsonObject).canceled === true)
      return [{ refused: canonical(created ?? {}) }]
    while (!complete(events)) {
      created = await stream.next(10_000).catch(() => undefined)
      if (created === undefined) return [...events, { missing: 'no more messages' }]
      const result = (created.result ?? {}) as JsonObject
      if (result.canceled === true) return [...events, { refused: canonical(created) }]
      for (const event of (result.events ?? []) as readonly JsonObject[])
        events.push(canonical(event) as JsonObject)
    }
    return events
  } finally {
    stream.close()
  }
}
