/** What lets a page of another origin ask and read: etcd's headers (`--cors`), and what edgetcd's own doors need. */
import type { HeaderReader } from '../rpc/request.ts'

type HeaderFields = Readonly<Record<string, string>>

/** The origins whose pages may read answers; `*` among them stands for all. */
export type Origins = readonly string[]

const ALLOWED_HEADERS = 'accept, content-type, authorization'
const ALLOWED_METHODS = 'POST, GET, OPTIONS, PUT, DELETE'

/** Request headers, beside etcd's, that a page may send when its browser asks whether it may. */
const OWN_HEADER =
  /^(last-event-id|if-match|if-none-match|prefer|grpc-timeout|(grpc-metadata|edgetcd)-[\w.-]+)$/

/** Response headers that a page is to see though etcd's answers have none of them. */
const EXPOSED_HEADER = /^(etag|link|preference-applied|edgetcd-[\w-]+)$/

const FOR_ALL = allow('*')
const FOR_NOBODY: HeaderFields = { Vary: 'Origin' }

/**
 * The CORS headers of any answer, as etcd has them: for all origins the same; else for those listed, by their exact
 * spelling, and none for others, which are answered all the same. etcd says nothing of caches, which then give one
 * origin's answer to another.
 */
export function corsHeaders(origins: Origins, header: HeaderReader): HeaderFields {
  if (origins.includes('*')) return FOR_ALL
  const origin = header('origin')
  if (origin === undefined || !origins.includes(origin)) return FOR_NOBODY
  return { ...allow(origin), ...FOR_NOBODY }
}

function allow(origin: string): HeaderFields {
  return {
    'Access-Control-Allow-Headers': ALLOWED_HEADERS,
    'Access-Control-Allow-Methods': ALLOWED_METHODS,
    'Access-Control-Allow-Origin': origin,
  }
}

/** Lets a preflight through that asks for headers of edgetcd's own doors; to any other etcd's answer stands. */
export function allowAskedHeaders(headers: Headers, header: HeaderReader): void {
  const asked = header('access-control-request-headers')?.toLowerCase().split(',') ?? []
  const own = asked.map((name) => name.trim()).filter((name) => OWN_HEADER.test(name))
  if (own.length === 0 || !headers.has('access-control-allow-headers')) return
  headers.set('Access-Control-Allow-Headers', [ALLOWED_HEADERS, ...own].join(', '))
}

/** Lets the page see the answer's headers that aren't etcd's. */
export function exposeHeaders(headers: Headers): void {
  if (!headers.has('access-control-allow-origin')) return
  const own = [...headers.keys()].filter((name) => EXPOSED_HEADER.test(name))
  if (own.length > 0) headers.set('Access-Control-Expose-Headers', own.join(', '))
}
