import type { HeaderReader } from '../../rpc/request.ts'
import { type RpcRequest, readToken } from '../../rpc/request.ts'
import type { StreamRpc } from '../../rpc/rpcs.ts'
import type { Origins } from '../cors.ts'
import { ROUTES } from '../routes.ts'
import { readTarget } from '../target.ts'

const BEARER = 'Bearer'

/**
 * The RPC that a request wants a WebSocket for: a stream without an end of its own. Undefined for any other request,
 * which is answered as if it didn't ask to upgrade. etcd upgrades on all paths under /v3/, and then never answers.
 */
export function webSocketRpc(
  method: string | undefined,
  target: string,
  header: HeaderReader,
): StreamRpc | undefined {
  if (method !== 'GET' || header('upgrade')?.toLowerCase() !== 'websocket') return undefined
  const read = readTarget(target)
  const rpc = read.kind === 'rpc' ? ROUTES.get(read.path) : undefined
  return rpc?.kind === 'stream' && !rpc.isFinite ? rpc : undefined
}

/**
 * Whether the page that asks, if it is a page, may read what comes. Browsers leave that to the server: a WebSocket needs
 * no CORS headers. So the origins are those that CORS allows, all of them by default, and the server's own. That is no
 * less safe than POST is, for a page has no rights but those of the token that it sends itself; and where the browser
 * vouches for its user by a certificate, `--cors` keeps other origins out of both. etcd lets every origin in.
 */
export function mayConnect(origins: Origins, header: HeaderReader): boolean {
  const origin = header('origin')
  if (origin === undefined || origins.includes('*') || origins.includes(origin)) return true
  return URL.canParse(origin) && new URL(origin).host === header('host')
}

/** The subprotocol that the server agrees to, as etcd: the one that announces a token. The token isn't said back. */
export function acceptedProtocol(header: HeaderReader): typeof BEARER | undefined {
  return header('sec-websocket-protocol')?.startsWith(BEARER) ? BEARER : undefined
}

/**
 * The token of a WebSocket's request. Browsers can set no header but the list of subprotocols, so it may be the second
 * of `Bearer, TOKEN`; that is the one place in which etcd looks beside a cookie. Otherwise it is where it is in every
 * other request. It is never in a cookie: browsers send those along for pages of any origin, and etcd's then speak
 * with the rights of whoever looks at them.
 */
export function readWebSocketToken(request: RpcRequest): string | undefined {
  const [scheme, token] = request.header('sec-websocket-protocol')?.split(',') ?? []
  return scheme === BEARER && token !== undefined ? token.trim() : readToken(request)
}
