import { Hono, type Context as HonoContext, type MiddlewareHandler } from 'hono'
import { METRICS_CONTENT_TYPE } from '../observe/metrics.ts'
import { toEtcdError } from '../rpc/failure.ts'
import type { HeaderReader, RpcRequest } from '../rpc/request.ts'
import type { Rpc, StreamRpc } from '../rpc/rpcs.ts'
import { type Answer, empty, NO_STORE, toResponse } from './answer.ts'
import { bodyBytesMaxOf, readBody } from './body.ts'
import { readBytesForm, readBytesFormOfGet } from './bytes-form.ts'
import type { Context } from './context.ts'
import { allowAskedHeaders, corsHeaders, exposeHeaders } from './cors.ts'
import { errorAnswer, METHOD_NOT_ALLOWED, NOT_FOUND } from './errors.ts'
import { acceptsGzip, bodyOf, toRpcRequest } from './fetch.ts'
import { answerKey } from './keys/index.ts'
import { answerLongPoll } from './long-poll.ts'
import { preferredWait, readLongPollBody, readLongPollParameters } from './long-poll-query.ts'
import { methodOf } from './method.ts'
import * as operations from './operations.ts'
import { redirect } from './redirect.ts'
import { ROUTES, rpcFor } from './routes.ts'
import { acceptsEvents, answerServerSentEvents } from './server-sent-events/index.ts'
import { answerStream } from './stream.ts'
import { readTarget, type Target, targetOf } from './target.ts'
import { answerUnary } from './unary.ts'

/** What each request brings along. */
export interface AppBindings {
  readonly context: Context
  /** The request target as the client wrote it, where the server knows it: a Request's URL has been cleaned. */
  readonly target?: string
}

type App = { Bindings: AppBindings }
type Handler = (c: HonoContext<App>) => Promise<Answer>

/** Everything, or only what etcd has on its `--listen-metrics-urls`: metrics, health and the probes. */
export type Serves = 'all' | 'operations'

/** The HTTP application: every path of etcd's gateway, the long poll, and keys. It holds nothing of any request. */
export function createApp(serves: Serves = 'all'): Hono<App> {
  const app = new Hono<App>({ getPath: (request, options) => routingPath(request, options?.env) })
  const route = (path: string, handler: Handler) => app.all(path, async (c) => toResponse(await handler(c)))
  app.use(withCors)
  app.use(keptByNobody)
  app.use(beforeRouting(serves))
  if (serves === 'all') {
    for (const [path, rpc] of ROUTES) route(path, (c) => answerRpc(rpc, c))
    route(
      '/version',
      onlyGet(async () => operations.VERSION_ANSWER),
    )
  }
  route('/health', onlyGet(answerHealth))
  for (const [probe, checks] of Object.entries(operations.PROBES)) {
    route(
      `/${probe}`,
      onlyGet((c) => answerProbe(checks, c)),
    )
    for (const check of checks)
      route(
        `/${probe}/${check}`,
        onlyGet((c) => answerProbe([check], c)),
      )
  }
  route('/metrics', answerMetrics)
  app.notFound((c) => {
    const isGateway = serves === 'all' && c.req.path.startsWith('/v3/')
    return toResponse(isGateway ? errorAnswer(NOT_FOUND) : operations.PAGE_NOT_FOUND)
  })
  app.onError((error, c) => toResponse(errorAnswer(toEtcdError(error, c.env.context.environment.log))))
  return app
}

function targetIn(request: Request, bindings: AppBindings | undefined): Target {
  return readTarget(bindings?.target ?? targetOf(request.url))
}

function routingPath(request: Request, bindings: AppBindings | undefined): string {
  const target = targetIn(request, bindings)
  return target.kind === 'rpc' || target.kind === 'other' ? target.path : '/'
}

/** Lets pages of other origins read whatever is answered. */
const withCors: MiddlewareHandler<App> = async (c, next) => {
  await next()
  const { headers } = c.res
  const header: HeaderReader = (name) => c.req.header(name)
  for (const [name, value] of Object.entries(corsHeaders(c.env.context.origins, header))) {
    headers.append(name, value)
  }
  if (c.req.method === 'OPTIONS') allowAskedHeaders(headers, header)
  exposeHeaders(headers)
}

/**
 * Shared caches guess how long to keep an answer that says nothing, be it an error. They keep none but of these methods. The
 * version and the refusal of a method say nothing in etcd either, and are always the same.
 */
const keptByNobody: MiddlewareHandler<App> = async (c, next) => {
  await next()
  const { method, path } = c.req
  const { headers, status } = c.res
  if ((method !== 'GET' && method !== 'HEAD') || headers.has('cache-control')) return
  if (path === '/version' || (method === 'GET' && status === 501)) return
  headers.set('Cache-Control', NO_STORE['Cache-Control'])
}

/** What etcd does before it looks at a path's meaning; and keys, whose paths mean nothing to a router. */
const beforeRouting =
  (serves: Serves): MiddlewareHandler<App> =>
  async (c, next) => {
    const target = targetIn(c.req.raw, c.env)
    if (target.kind === 'malformed') return toResponse(operations.BAD_REQUEST)
    if (c.req.method === 'OPTIONS') return toResponse(empty(200))
    if (target.kind === 'redirect') return toResponse(redirect(target.location, c.req.method))
    if (target.kind === 'key' && serves === 'all')
      return toResponse(await answerKey(c.req.raw, target, c.env.context))
    return await next()
  }

function onlyGet(handler: Handler): Handler {
  return async (c) => (c.req.method === 'GET' ? await handler(c) : operations.METHOD_NOT_ALLOWED_HERE)
}

async function answerRpc(called: Rpc, c: HonoContext<App>): Promise<Answer> {
  const { context } = c.env
  const { raw } = c.req
  const request = toRpcRequest(raw)
  const rpc = rpcFor(request.header('accept'), called)
  const method = methodOf(raw.method, request.header)
  if (rpc.kind === 'stream' && rpc.outlivesRequests) {
    if (method === 'GET') return await answerGetWatch(rpc, request, new URL(raw.url).searchParams, context)
    const wait = preferredWait(request.header('prefer'))
    if (method === 'POST' && wait !== undefined) {
      const read = async () => {
        const form = readBytesForm(request)
        const body = await readBody(bodyOf(raw), bodyBytesMaxOf(context))
        return readLongPollBody(body, wait, context.messageBytesMax, form)
      }
      return await answerLongPoll('POST', request, read, context)
    }
  }
  if (method !== 'POST') return errorAnswer(METHOD_NOT_ALLOWED)
  if (rpc.kind === 'stream') return await answerStream(rpc, request, bodyOf(raw), context)
  const body = await readBody(bodyOf(raw), bodyBytesMaxOf(context))
  return await answerUnary(rpc, request, body, context)
}

async function answerGetWatch(
  rpc: StreamRpc,
  request: RpcRequest,
  parameters: URLSearchParams,
  context: Context,
): Promise<Answer> {
  if (parameters.has('wait')) {
    const read = () => readLongPollParameters(parameters, readBytesFormOfGet(request))
    return await answerLongPoll('GET', request, read, context)
  }
  if (acceptsEvents(request.header('accept'))) {
    return await answerServerSentEvents(rpc, request, parameters, context)
  }
  // Caches may keep a 501, and one for this URL would stand before the events.
  const refused = errorAnswer(METHOD_NOT_ALLOWED)
  return { ...refused, headers: { ...refused.headers, ...NO_STORE } }
}

async function answerHealth(c: HonoContext<App>): Promise<Answer> {
  const { health } = c.env.context.services
  return await operations.answerHealth(health, { signal: c.req.raw.signal }, c.req.queries('exclude') ?? [])
}

async function answerProbe(checks: readonly operations.Check[], c: HonoContext<App>): Promise<Answer> {
  const { probed = c.env.context.services.health } = c.env.context
  const verbose = c.req.query('verbose') !== undefined
  const excluded = c.req.queries('exclude') ?? []
  const asked = checks.filter((check) => !excluded.includes(check))
  return await operations.answerProbe(asked, probed, { signal: c.req.raw.signal }, verbose)
}

/** The one answer that etcd compresses. */
async function answerMetrics(c: HonoContext<App>): Promise<Answer> {
  await c.env.context.sampleStore()
  const text = c.env.context.instruments.metrics.text()
  const headers = { 'Content-Type': METRICS_CONTENT_TYPE, ...NO_STORE }
  if (!acceptsGzip(c.req.raw)) return { status: 200, headers, body: text }
  const zipped = new Response(text).body?.pipeThrough(new CompressionStream('gzip'))
  const body = new Uint8Array(await new Response(zipped ?? null).arrayBuffer())
  return { status: 200, headers: { ...headers, 'Content-Encoding': 'gzip' }, body }
}
