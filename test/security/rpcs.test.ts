import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROUTES } from '../../src/gateway/routes.ts'
import { RPCS } from '../../src/rpc/rpcs.ts'
import { type Edgetcd, startEdgetcd } from '../support/edgetcd.ts'
import { b64, type JsonObject } from '../support/gateway.ts'
import { askByGrpc, closeGrpcClients, grpcAsks, methodsOf } from './grpc.ts'
import { LEASES, RPC_ASKS } from './rpc-table.ts'
import {
  as,
  ask,
  authenticate,
  BAD_TOKEN,
  bearer,
  DENIED,
  key,
  NOBODY,
  REFUSALS,
  type Scene,
  STREAMS,
  setScene,
  type Told,
} from './scene.ts'
import { forgedTokens, type Mint, openMint, tokenFor } from './tokens.ts'

/** Asks an RPC at a server: what is told first. */
type Asking = (server: Edgetcd, token: string | undefined, path: string, body: JsonObject) => Promise<Told>
const byHttp: Asking = ({ gateway }, token, path, body) => ask(gateway, token, path, body)

const DOORS: readonly [name: string, asking: Asking, asks: typeof RPC_ASKS][] = [
  ['the gateway', byHttp, RPC_ASKS],
  ['gRPC', askByGrpc, grpcAsks(RPC_ASKS)],
]

describe.each(DOORS)('every RPC over %s', (_name, asking, asksByPath) => {
  const asks = Object.entries(asksByPath).flatMap(([path, some]) => some.map((one) => ({ path, ...one })))
  let scene: Scene
  let mint: Mint
  /** Tokens that nobody is let in with, by what is wrong with them. */
  let bad: Record<string, string>

  beforeAll(async () => {
    scene = await setScene()
    mint = await openMint(scene)
    const { tokenOf, root } = scene
    for (const [user, ID] of Object.entries(LEASES)) {
      await root('/v3/lease/grant', { ID, TTL: '3600' })
      await root('/v3/kv/put', { ...key(`${user.charAt(0)}/leased`), lease: ID })
    }
    bad = forgedTokens(mint, tokenOf('alice'))
    bad['of a user who was deleted'] = await tokenOfDeleted('deleted')
    bad['of a user who was deleted and added again'] = await tokenOfDeleted('added-again')
    await root('/v3/auth/user/add', { name: 'added-again', password: 'pw' })
    bad['whose time is over'] = await tokenOfShortLife()
  })
  afterAll(async () => {
    closeGrpcClients()
    await scene[Symbol.asyncDispose]()
  })

  async function tokenOfDeleted(name: string): Promise<string> {
    await scene.root('/v3/auth/user/add', { name, password: 'pw' })
    const token = await authenticate(scene.here.gateway, name, 'pw')
    await as(scene.here.gateway, token, '/v3/maintenance/status', {})
    await scene.root('/v3/auth/user/delete', { name })
    return token
  }

  /** A token of alice's from a server that gives it three seconds, or two and a bit; over when this resolves. */
  async function tokenOfShortLife(): Promise<string> {
    const { postgres, schema } = scene
    const args = ['--auth-token-ttl', '3']
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema, args })
    const token = await authenticate(server.gateway, 'alice')
    await as(scene.here.gateway, token, '/v3/maintenance/status', {})
    const isOver = async () => 'error' in (await ask(scene.here.gateway, token, '/v3/maintenance/status', {}))
    while (!(await isOver())) await new Promise((resolve) => setTimeout(resolve, 50))
    return token
  }

  /** All that a request may change, as root sees it. */
  async function state(): Promise<JsonObject> {
    const { root } = scene
    const { leases } = await root('/v3/lease/leases', {})
    const { hash, header } = await root('/v3/maintenance/hashkv', {})
    const { alarms } = await root('/v3/maintenance/alarm', {})
    const { enabled, authRevision } = await root('/v3/auth/status', {})
    return {
      leases: leases ?? [],
      hash,
      revision: (header as JsonObject).revision ?? '',
      alarms: alarms ?? [],
      enabled,
      authRevision,
    } as JsonObject
  }

  it('has been thought of', () => {
    expect(Object.keys(RPC_ASKS).sort()).toEqual([...ROUTES.keys()].sort())
    const streams = [...ROUTES].filter(([, rpc]) => rpc.kind === 'stream').map(([path]) => path)
    expect([...STREAMS].sort()).toEqual(streams.sort())
    expect(methodsOf(Object.keys(grpcAsks(RPC_ASKS)))).toEqual(new Set(RPCS.keys()))
  })

  it('turns away who has no token, and whoever has none that is good, and does nothing', async () => {
    const before = await state()
    const { here } = scene
    for (const { path, body, needs } of asks) {
      if (needs === 'nothing') continue
      const about = `${path} ${JSON.stringify(body)}`
      expect(await asking(here, undefined, path, body), `${about} without a token`).toEqual({ error: NOBODY })
      const answers = Object.entries(bad).map(async ([what, token]) => {
        expect(await asking(here, token, path, body), `${about} with a token ${what}`).toEqual({
          error: BAD_TOKEN,
        })
      })
      await Promise.all(answers)
    }
    expect(await state()).toEqual(before)
  })

  it('turns away another user, and does nothing', async () => {
    const before = await state()
    for (const { path, body, needs } of asks) {
      if (needs !== 'root' && needs !== 'foreign') continue
      const answer = await asking(scene.here, scene.tokenOf('alice'), path, body)
      expect(answer, `${path} ${JSON.stringify(body)}`).toEqual({ error: DENIED })
    }
    expect(await state()).toEqual(before)
  })

  it('turns away at one server whose password was changed at another a moment ago', async () => {
    const { root, there, postgres, schema } = scene
    const hashed = (digit: number) => ({
      name: 'stale',
      hashedPassword: b64(`$2a$04$${String(digit).repeat(53)}`),
    })
    await root('/v3/auth/user/add', { name: 'stale', password: 'pw' })
    await root('/v3/auth/user/grant', { user: 'stale', role: 'root' })
    for (const [i, { path, body, needs }] of asks.entries()) {
      if (needs === 'nothing') continue
      const token = tokenFor(mint, 'stale', await passwordVersion())
      await as(there.gateway, token, '/v3/kv/range', key('b/x'))
      await root('/v3/auth/user/changepw', hashed(i % 10))
      const answer = await asking(there, token, path, body)
      expect.soft(answer, `${path} ${JSON.stringify(body)}`).toEqual({ error: BAD_TOKEN })
    }

    async function passwordVersion(): Promise<bigint> {
      const ofStale = `select password_version as v from "${schema}".auth_user where name = 'stale'`
      const { rows } = await postgres.query(ofStale)
      return BigInt((rows[0] as { v: string }).v)
    }
  })

  it('lets in whoever may ask', async () => {
    const { here, tokenOf } = scene
    for (const { path, body, needs } of asks) {
      const user = needs === 'own' || needs === 'user' ? 'alice' : 'root'
      const answer = await asking(here, needs === 'nothing' ? undefined : tokenOf(user), path, body)
      const refusal = 'error' in answer && REFUSALS.includes(answer.error) ? answer.error : undefined
      expect(refusal, `${path} ${JSON.stringify(body)}`).toBeUndefined()
    }
  })
})

it('a token is taken from the headers that etcd takes it from, and from nowhere else', async () => {
  await using scene = await setScene()
  const { gateway } = scene.here
  const token = scene.tokenOf('alice')
  // Asked of nobody before, a server reads the rights of whomever the token claims to be of.
  const claim = Buffer.from(JSON.stringify({ sub: { toString: 1 } })).toString('base64url')
  const first = await ask(scene.there.gateway, `e30.${claim}.AAAA`, '/v3/maintenance/status', {})
  expect(first).toEqual({ error: BAD_TOKEN })
  const status = async (headers: Record<string, string>, path = '/v3/maintenance/status') =>
    (await gateway.call(path, {}, { headers })).status
  for (const headers of [
    { authorization: token },
    bearer(token),
    { 'grpc-metadata-token': token },
    { 'grpc-metadata-authorization': token },
    { 'grpc-metadata-authorization': `Bearer ${token}` },
    // What etcd looks at first decides.
    { 'grpc-metadata-token': token, authorization: 'no.such.token' },
  ]) {
    expect(await status(headers), JSON.stringify(headers)).toBe(200)
  }
  for (const headers of [
    { token },
    { cookie: `token=${token}` },
    { 'x-authorization': token },
    { 'proxy-authorization': token },
    { 'grpc-metadata-username': 'root' },
    { 'grpc-metadata-user': 'root', 'grpc-metadata-grpcgateway-authorization': token },
    { 'sec-websocket-protocol': `Bearer, ${token}` },
  ]) {
    expect(await status(headers), JSON.stringify(headers)).toBe(400)
  }
  expect(await status({}, `/v3/maintenance/status?access_token=${token}&token=${token}`)).toBe(400)
  expect(await status({ 'grpc-metadata-token': 'no.such.token', authorization: token })).toBe(401)
  expect(await status({ authorization: `bearer ${token}` })).toBe(401)
  expect(await status({ authorization: `Basic ${Buffer.from('alice:pw').toString('base64')}` })).toBe(401)
})
