/** Two servers on one store with authentication on, and some users: where the attacks of this folder take place. */
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { b64, type Gateway, type JsonObject } from '../support/gateway.ts'
import { type Postgres, type PostgresOptions, startPostgres } from '../support/postgres.ts'
import { prefixRange } from '../support/watching.ts'

export interface Scene extends AsyncDisposable {
  readonly postgres: Postgres
  readonly schema: string
  /** Where rights are changed, and where the attacker asks, so that they must get from one to the other. */
  readonly here: Edgetcd
  readonly there: Edgetcd
  /** The token of a user, each of whom has one from the beginning. */
  tokenOf(user: User): string
  /** Gives everybody a new token, where switching authentication off has ended the old ones. */
  signIn(): Promise<void>
  /** A call of root's, which has to succeed. */
  root<T = JsonObject>(path: string, body: JsonObject): Promise<T>
}

/** Who has which role; the roles of alice and bob let them read and write what begins with their letter. */
export const USERS = ['root', 'alice', 'bob'] as const
export type User = (typeof USERS)[number]

/** Words that nobody else uses, so that one can look for them in logs. */
export const passwordOf = (user: string): string => `the-password-of-${user}`

/** The headers of whoever has this token; undefined: nobody in particular. */
export function bearer(token: string | undefined): Record<string, string> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` }
}

export interface SceneOptions {
  /** More flags of each server. */
  readonly args?: readonly string[]
  readonly postgres?: PostgresOptions
}

export async function setScene({ args = [], ...options }: SceneOptions = {}): Promise<Scene> {
  const postgres = await startPostgres(18, options.postgres)
  const schema = postgres.freshSchema()
  const server = { databaseUrl: postgres.url, schema, args }
  const here = await startEdgetcd(server)
  const there = await startEdgetcd(server)
  await makeUsers(here.gateway)
  const tokens = new Map<User, string>()
  const signIn = async () => {
    for (const user of USERS) tokens.set(user, await authenticate(here.gateway, user))
  }
  await signIn()
  const tokenOf = (user: User) => tokens.get(user) ?? ''
  return {
    postgres,
    schema,
    here,
    there,
    tokenOf,
    signIn,
    root: <T>(path: string, body: JsonObject) => as<T>(here.gateway, tokenOf('root'), path, body),
    async [Symbol.asyncDispose]() {
      await here[Symbol.asyncDispose]()
      await there[Symbol.asyncDispose]()
      await postgres[Symbol.asyncDispose]()
    },
  }
}

async function makeUsers(gateway: Gateway): Promise<void> {
  for (const user of USERS) {
    await gateway.ok('/v3/auth/user/add', { name: user, password: passwordOf(user) })
    await gateway.ok('/v3/auth/role/add', { name: user })
    await gateway.ok('/v3/auth/user/grant', { user, role: user })
    if (user === 'root') continue
    const perm = { permType: 'READWRITE', ...prefixRange(user.charAt(0)) }
    await gateway.ok('/v3/auth/role/grant', { name: user, perm })
  }
  for (const key of ['a/x', 'b/x']) await gateway.put(key, `the value of ${key}`)
  await gateway.ok('/v3/auth/enable', {})
}

/** A new token of a user. */
export async function authenticate(
  gateway: Gateway,
  name: string,
  password = passwordOf(name),
): Promise<string> {
  return (await gateway.ok<{ token: string }>('/v3/auth/authenticate', { name, password })).token
}

/** A unary call with a token that has to succeed: its answer's body. */
export async function as<T = JsonObject>(
  gateway: Gateway,
  token: string | undefined,
  path: string,
  body: JsonObject,
): Promise<T> {
  const { status, body: answer } = await gateway.call(path, body, { headers: bearer(token) })
  if (status !== 200) throw new Error(`${path}: ${status} ${JSON.stringify(answer)}`)
  return answer as T
}

export const NOBODY = 'etcdserver: user name is empty'
export const BAD_TOKEN = 'etcdserver: invalid auth token'
export const DENIED = 'etcdserver: permission denied'
export const REFUSALS: readonly string[] = [NOBODY, BAD_TOKEN, DENIED]

/** What a caller was told: nothing but an answer, or the text of an error, wherever the door in question writes it. */
export type Told = { readonly answer: JsonObject } | { readonly error: string }

/** What the answer of an RPC, the first line of a stream, or the first answer to a watch says. */
export function told(body: JsonObject): Told {
  const error = body.error
  if (typeof error === 'object' && error !== null && 'message' in error)
    return { error: String(error.message) }
  if (typeof body.message === 'string') return { error: body.message }
  const result = body.result as JsonObject | undefined
  if (result?.canceled === true) {
    return { error: String(result.cancel_reason).replace(/^rpc error: code = \w+ desc = /, '') }
  }
  return { answer: result ?? body }
}

/** Asks an RPC, unary or streaming, and gives what is told first. */
export async function ask(
  gateway: Gateway,
  token: string | undefined,
  path: string,
  body: JsonObject,
): Promise<Told> {
  if (!STREAMS.includes(path)) return told((await gateway.call(path, body, { headers: bearer(token) })).body)
  const stream = gateway.streamWith(bearer(token), path, body)
  try {
    return told((await stream.next()) ?? { message: 'the stream ended' })
  } finally {
    stream.close()
  }
}

/** The streaming RPCs; rpcs.test.ts looks whether these are all. */
export const STREAMS: readonly string[] = [
  '/v3/watch',
  '/v3/lease/keepalive',
  '/v3/maintenance/snapshot',
  '/v3/election/observe',
]

export const key = (name: string) => ({ key: b64(name) })
