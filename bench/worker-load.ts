/**
 * The load of bench/worker.ts, as a process of its own: clients on a raw socket each, one request after the other. Takes a
 * LoadOptions as JSON, gives a LoadFigure as JSON. Node's own HTTP client would cost more than a Worker does.
 */
import { connect } from 'node:net'

export type Workload = 'put' | 'compare-and-swap' | 'get'

export interface LoadOptions {
  readonly port: number
  readonly workload: Workload
  readonly clients: number
  /** How long is measured, after a warm-up that isn't. */
  readonly seconds: number
  readonly warmUpSeconds: number
}

export interface LoadFigure {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Keys that are there before the first load, which reads them. */
export const FILLED_KEYS = 1000
const PUT_KEYS = 10_000
const VALUE = Buffer.alloc(256, 'x').toString('base64')

const b64 = (text: string): string => Buffer.from(text).toString('base64')
export const keyOf = (i: number): string =>
  b64(`/registry/configmaps/default/benchmark-key-${String(i).padStart(6, '0')}`)
const swappedKey = (client: number): string => b64(`/registry/leases/default/benchmark-client-${client}`)
export const putOf = (i: number) => ({ key: keyOf(i), value: VALUE })

/** What one client asks, one after the other; it is given the body of each answer. */
type Requests = Generator<{ readonly path: string; readonly body: object }, never, string>

function* puts(client: number, clients: number): Requests {
  for (let i = client; ; i += clients) yield { path: '/v3/kv/put', body: putOf(i % PUT_KEYS) }
}

/** Each client swaps a key of its own, and knows from the last answer what is there. */
function* swaps(client: number): Requests {
  const key = swappedKey(client)
  const found = yield { path: '/v3/kv/range', body: { key } }
  for (let revision = /"mod_revision":"(\d+)"/.exec(found)?.[1] ?? '0'; ; ) {
    const answer = yield {
      path: '/v3/kv/txn',
      body: {
        compare: [{ key, target: 'MOD', mod_revision: revision }],
        success: [{ request_put: { key, value: VALUE } }],
        failure: [{ request_range: { key } }],
      },
    }
    if (!answer.includes('"succeeded":true')) throw new Error(`a swap of an own key failed: ${answer}`)
    revision = /"revision":"(\d+)"/.exec(answer)?.[1] ?? ''
  }
}

function* gets(client: number, clients: number): Requests {
  for (let i = client; ; i += clients) yield { path: '/v3/kv/range', body: { key: keyOf(i % FILLED_KEYS) } }
}

const REQUESTS: Readonly<Record<Workload, (client: number, clients: number) => Requests>> = {
  put: puts,
  'compare-and-swap': swaps,
  get: gets,
}

/** Runs one client until `endAt` (by performance.now). `answered` is told of each answer, with when it was asked. */
function runClient(
  port: number,
  requests: Requests,
  endAt: number,
  answered: (askedAt: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    let received = ''
    let askedAt = 0
    const ask = (last: string) => {
      const { path, body } = requests.next(last).value
      const text = JSON.stringify(body)
      askedAt = performance.now()
      socket.write(
        `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
      )
    }
    const take = (chunk: string) => {
      received += chunk
      const answer = readAnswer(received)
      if (answer === undefined) return
      received = ''
      if (answer.status !== '200') throw new Error(`${answer.status}: ${answer.body}`)
      answered(askedAt)
      if (performance.now() < endAt) ask(answer.body)
      else socket.end(resolve)
    }
    socket.setEncoding('latin1')
    socket.on('connect', () => ask(''))
    socket.on('data', (chunk: string) => {
      try {
        take(chunk)
      } catch (error) {
        reject(error)
      }
    })
    socket.on('error', reject)
    socket.on('end', () => reject(new Error('the server ended a connection')))
  })
}

/** The answer, once it is whole. Every answer to a unary call says how long it is. */
function readAnswer(received: string): { status: string; body: string } | undefined {
  const headerEnd = received.indexOf('\r\n\r\n')
  if (headerEnd < 0) return undefined
  const length = /\r\ncontent-length: (\d+)/i.exec(received)?.[1]
  if (length === undefined) throw new Error(`no length: ${received}`)
  if (received.length < headerEnd + 4 + Number(length)) return undefined
  return { status: received.slice(9, 12), body: received.slice(headerEnd + 4) }
}

async function run({ port, workload, clients, seconds, warmUpSeconds }: LoadOptions): Promise<LoadFigure> {
  const from = performance.now() + warmUpSeconds * 1000
  const endAt = from + seconds * 1000
  const tookMs: number[] = []
  const answered = (askedAt: number) => {
    const now = performance.now()
    if (now >= from && now < endAt) tookMs.push(now - askedAt)
  }
  const requestsOf = REQUESTS[workload]
  await Promise.all(
    Array.from({ length: clients }, (_, client) =>
      runClient(port, requestsOf(client, clients), endAt, answered),
    ),
  )
  tookMs.sort((a, b) => a - b)
  const percentile = (part: number) => tookMs[Math.floor(tookMs.length * part)] ?? Number.NaN
  return { requestsPerSecond: tookMs.length / seconds, p50Ms: percentile(0.5), p99Ms: percentile(0.99) }
}

const [, script, options] = process.argv
if (script === import.meta.filename && options !== undefined) {
  console.log(JSON.stringify(await run(JSON.parse(options) as LoadOptions)))
  process.exit()
}
