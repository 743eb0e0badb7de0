import { EDGETCD_VERSION } from '../version.ts'

/**
 * What goes back to the client, before a server turns it into its own kind of response. The bodies of streams are
 * pulled: the next piece is asked for when the last was taken, and each is written in one piece.
 */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Uint8Array | AsyncIterable<string>
}

/** On every answer, whatever the request was. */
export const SERVER_HEADER = { Server: `edgetcd/${EDGETCD_VERSION}` } as const

/** On the answers of an RPC that succeeded. */
export const RPC_HEADERS = {
  'Content-Type': 'application/json',
  'Grpc-Metadata-Content-Type': 'application/grpc',
} as const

/** What may change says that it mustn't be kept: shared caches guess at answers that say nothing. */
export const NO_STORE = { 'Cache-Control': 'no-store' } as const

/** A JSON body, with etcd's Content-Type: without a charset. */
export function json(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, body }
}

/** A plain text body, as Go's http.Error writes it. */
export function plain(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Answer {
  const fixed = { 'Content-Type': 'text/plain; charset=utf-8', 'X-Content-Type-Options': 'nosniff' }
  return { status, headers: { ...fixed, ...headers }, body }
}

/** No body, and so no Content-Type. */
export function empty(status: number, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, headers, body: '' }
}

const encoder = new TextEncoder()

/** RFC 9110: their bodies are none, so that they have no length. */
const BODILESS = new Set([204, 304])

/** The answer as a fetch Response. Its length is always said, so that HEAD has it too. */
export function toResponse(answer: Answer): Response {
  const headers = new Headers(SERVER_HEADER)
  for (const [name, value] of Object.entries(answer.headers)) headers.set(name, value)
  const { status, body } = answer
  if (typeof body !== 'string' && !(body instanceof Uint8Array)) {
    return new Response(toStream(body), { status, headers })
  }
  const bytes = typeof body === 'string' ? encoder.encode(body) : body
  if (!BODILESS.has(status)) headers.set('Content-Length', String(bytes.byteLength))
  // `encodeBody` keeps workerd from compressing again what already is; other runtimes don't know the word.
  const init = { status, headers, encodeBody: 'manual' }
  return new Response(bytes.byteLength === 0 ? null : (bytes as Uint8Array<ArrayBuffer>), init)
}

function toStream(pieces: AsyncIterable<string>): ReadableStream<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const next = await iterator.next()
        if (next.done === true) controller.close()
        else controller.enqueue(encoder.encode(next.value))
      },
      async cancel() {
        await iterator.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}
