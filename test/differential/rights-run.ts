import type { GatewayServer } from '../support/etcd.ts'
import type { Answer, Headers, Json, JsonObject } from '../support/gateway.ts'
import { canonicalAnswer } from './canonical.ts'
import type { Operation, StoreState } from './generator.ts'
import type { Difference } from './history.ts'
import { withTokens } from './rights-callers.ts'
import { advance, type Outcome } from './run.ts'

/** A request of somebody. */
export interface RightsOperation extends Operation {
  /** `{slot}` in a value stands for the token that is kept there; each server has given its own. */
  readonly headers: Headers
  /** Where the answer's token is kept. */
  readonly keep?: string
  /** Which of the servers under test is asked. */
  readonly server: number
}

/** An etcd, and one or more servers under test that share a store. */
export interface RightsServers {
  readonly reference: GatewayServer
  readonly candidates: readonly GatewayServer[]
}

/** What the generator has to know, besides the store's state: what clients were given. */
export interface RightsState extends StoreState {
  lockKey: string
  leader?: JsonObject
}

type Tokens = Map<string, string>

/** What is each server's own choice in an answer. */
const OWN_FIELDS: Readonly<Record<string, readonly string[]>> = {
  '/v3/auth/authenticate': ['token'],
  '/v3/maintenance/alarm': ['memberID'],
  '/v3/maintenance/status': [
    ...['version', 'dbSize', 'dbSizeInUse', 'dbSizeQuota', 'storageVersion'],
    ...['leader', 'raftIndex', 'raftTerm', 'raftAppliedIndex'],
  ],
  '/v3/maintenance/hash': ['hash'],
  '/v3/maintenance/hashkv': ['hash'],
  '/v3/maintenance/snapshot': ['result'],
  '/v3/cluster/member/list': ['members'],
}

const STREAMS = new Set(['/v3/watch', '/v3/maintenance/snapshot'])

/** A conversation with etcd and the servers under test, in which each side's tokens are kept. */
export class RightsConversation {
  readonly #servers: RightsServers
  readonly #given: Tokens = new Map()
  readonly #candidateGiven: Tokens = new Map()

  constructor(servers: RightsServers) {
    this.#servers = servers
  }

  /** Sends the same request to etcd and to one of the servers under test: etcd's answer, and whether they differ. */
  async ask(operation: RightsOperation): Promise<{ answer: JsonObject; difference?: Difference }> {
    const { reference, candidates } = this.#servers
    const candidate = candidates[operation.server] ?? reference
    const [want, got] = await Promise.all([
      answerTo(operation, reference, this.#given),
      answerTo(operation, candidate, this.#candidateGiven),
    ])
    if (JSON.stringify(want) === JSON.stringify(got)) return { answer: want }
    const { path, body, headers } = operation
    const what = `${path} ${JSON.stringify(body)} by ${JSON.stringify(headers)}`
    return { answer: want, difference: { what, reference: want, candidate: got } }
  }
}

/** Sends operations one after the other until the answers differ. */
export async function runRights(
  servers: RightsServers,
  next: (state: RightsState, sent: number) => RightsOperation | undefined,
): Promise<Outcome<RightsOperation>> {
  const conversation = new RightsConversation(servers)
  const state: RightsState = { revision: 1, compactRevision: 0, rewritten: new Set(), lockKey: '' }
  const operations: RightsOperation[] = []
  for (let operation = next(state, 0); operation; operation = next(state, operations.length)) {
    operations.push(operation)
    const { answer, difference } = await conversation.ask(operation)
    if (difference) return { operations, difference }
    advance(state, operation, answer)
    learn(state, operation, answer)
  }
  return { operations }
}

async function answerTo(
  operation: RightsOperation,
  server: GatewayServer,
  tokens: Tokens,
): Promise<JsonObject> {
  const { path, body, keep } = operation
  const headers = withTokens(operation.headers, tokens)
  const answer = STREAMS.has(path)
    ? await firstMessage(server, path, body, headers)
    : await server.gateway.call(path, body, { headers })
  if (keep !== undefined && typeof answer.body.token === 'string') tokens.set(keep, answer.body.token)
  return masked(canonicalAnswer(answer), OWN_FIELDS[path] ?? []) as JsonObject
}

async function firstMessage(
  { gateway }: GatewayServer,
  path: string,
  body: JsonObject,
  headers: Headers,
): Promise<Answer> {
  const stream = gateway.streamWith(headers, path, body)
  try {
    const message = await stream.next()
    return { status: stream.status ?? 0, body: message ?? {} }
  } finally {
    stream.close()
  }
}

/** The fields with these names, wherever they are, are only known to be there. */
function masked(value: Json, names: readonly string[]): Json {
  if (names.length === 0 || typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((element: Json) => masked(element, names))
  const fields = Object.entries(value as JsonObject)
  return Object.fromEntries(
    fields.map(([name, inner]) => [name, names.includes(name) ? '<own>' : masked(inner, names)]),
  )
}

function learn(state: RightsState, { path }: RightsOperation, answer: JsonObject): void {
  const { key, leader } = answer.body as JsonObject
  if (path === '/v3/lock/lock' && typeof key === 'string') state.lockKey = key
  if (path === '/v3/election/campaign' && typeof leader === 'object') state.leader = leader as JsonObject
}
