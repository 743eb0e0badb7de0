import {
  Agent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestOptions,
  request,
} from 'node:http'
import type { Json } from '../support/gateway.ts'
import type { Context } from './context.ts'
import type { Step } from './scenario.ts'
import { expand, expandJson } from './templates.ts'

/** The server that is asked, with the connections to it. */
export interface Endpoint {
  readonly url: URL
  readonly agent: Agent
}

export function connectTo(url: string): Endpoint {
  return { url: new URL(url), agent: new Agent({ keepAlive: true, maxSockets: 64 }) }
}

/** What came back, a time-out and a broken connection included: they are answers too. */
export type RawAnswer =
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers: IncomingHttpHeaders
      readonly body: Buffer
    }
  | { readonly kind: 'timeout' }
  | { readonly kind: 'broken'; readonly why: string }

function requestOf(context: Context, step: Step): { options: RequestOptions; body: Buffer | undefined } {
  const body = bodyOf(context, step)
  const method = step.method ?? 'POST'
  const headers: Record<string, string> = {}
  if (body && !step.noctype) headers['Content-Type'] = 'application/json'
  for (const [name, value] of Object.entries(step.headers ?? {})) {
    if (value === null) delete headers[name]
    else headers[name] = expand(context, value)
  }
  if (!step.open_body && (body || method === 'POST')) headers['Content-Length'] = String(body?.length ?? 0)
  const { hostname, port } = context.endpoint.url
  return { options: { hostname, port, method, path: expand(context, step.path ?? '/'), headers }, body }
}

function bodyOf(context: Context, step: Step): Buffer | undefined {
  if (step.text !== undefined) return Buffer.from(expand(context, step.text))
  if (step.hexbody !== undefined) return Buffer.from(step.hexbody, 'hex')
  if (step.bodies) return Buffer.from(step.bodies.map((body) => expandJson(context, body)).join('\n'))
  if (step.body !== undefined) return Buffer.from(expandJson(context, step.body))
  return undefined
}

/** Sends the step's request and waits for the whole answer. */
export function call(context: Context, step: Step, again = false): Promise<RawAnswer> {
  const { options, body } = requestOf(context, step)
  return new Promise((resolve) => {
    const agent = step.stream_call ? {} : { agent: context.endpoint.agent }
    const sent = request({ ...options, ...agent }, (response) => {
      collect(response).then((whole) => finish({ kind: 'answer', ...whole }), broken)
    })
    const timer = setTimeout(() => {
      finish({ kind: 'timeout' })
      sent.destroy()
    }, step.timeout ?? 15_000)
    const finish = (answer: RawAnswer) => {
      clearTimeout(timer)
      resolve(answer)
    }
    const broken = (error: NodeJS.ErrnoException) => {
      // The server closed an idle connection while we took it out of the pool.
      if (sent.reusedSocket && error.code === 'ECONNRESET' && !again) {
        clearTimeout(timer)
        resolve(call(context, step, true))
      } else finish({ kind: 'broken', why: error.code ?? error.message })
    }
    sent.on('error', broken)
    sent.end(body)
  })
}

function collect(
  response: IncomingMessage,
): Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    response.on('error', reject)
    response.on('end', () =>
      resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
    )
  })
}

/** A stream that a step opened: its messages, one a line, until someone reads them. */
export class StepStream {
  readonly messages: Json[] = []
  readonly request: ReturnType<typeof request>
  status: number | undefined
  headers: IncomingHttpHeaders = {}
  ended = false
  #rest = ''
  #waiting: (() => void)[] = []

  constructor(context: Context, step: Step) {
    const { options, body } = requestOf(context, step)
    this.request = request({ ...options, agent: false }, (response) => this.#receive(response))
    this.request.on('error', () => this.#end())
    this.request.flushHeaders()
    if (body) this.request.write(body)
    if (!step.open_body) this.request.end()
  }

  /** Whether the condition came true within the time. */
  async until(condition: () => boolean, ms: number): Promise<boolean> {
    const deadline = Date.now() + ms
    while (!condition()) {
      const left = deadline - Date.now()
      if (left <= 0) return false
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
    return true
  }

  close(): void {
    this.request.destroy()
  }

  #receive(response: IncomingMessage): void {
    this.status = response.statusCode
    this.headers = response.headers
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      const lines = (this.#rest + chunk).split('\n')
      this.#rest = lines.pop() ?? ''
      this.messages.push(...lines.filter((line) => line.trim() !== '').map(parseLine))
      this.#news()
    })
    response.on('error', () => this.#end())
    response.on('close', () => this.#end())
    this.#news()
  }

  #end(): void {
    if (this.#rest.trim() !== '') this.messages.push(parseLine(this.#rest))
    this.#rest = ''
    this.ended = true
    this.#news()
  }

  #news(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

function parseLine(line: string): Json {
  try {
    return JSON.parse(line) as Json
  } catch {
    return { $unparsed: line }
  }
}

/** A body as one JSON value, as several lines of JSON, or as the text that it is. */
export type ParsedBody =
  | { readonly json: Json }
  | { readonly lines: readonly Json[] }
  | { readonly text: string }

export function parseBody(body: Buffer): ParsedBody {
  const text = body.toString('utf8')
  const whole = tryParse(text)
  if (whole !== undefined) return { json: whole }
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const parsed = lines.map(tryParse)
  if (lines.length > 1 && parsed.every((line) => line !== undefined)) return { lines: parsed }
  return { text }
}

function tryParse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined
  }
}
