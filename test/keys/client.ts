import { once } from 'node:events'
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { buffer } from 'node:stream/consumers'

export interface KeyAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export interface KeyRequest {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array | string
}

/** What tests look for in an answer. */
export const json = ({ body }: KeyAnswer): unknown => JSON.parse(body.toString())
export const etag = ({ headers }: KeyAnswer): string => headers.etag ?? ''
export const revision = ({ headers }: KeyAnswer): number => Number(headers['edgetcd-revision'])
export const error = (code: number, message: string) => ({ error: message, code, message })

/** Speaks HTTP with `/keys/` and sends each target as it is written: fetch would clean it. */
export class KeyClient implements Disposable {
  readonly #url: string
  readonly #agent = new Agent({ keepAlive: true })

  constructor(url: string) {
    this.#url = url
  }

  /** Sends a request for `/keys/` and what follows it. */
  async send(method: string, target: string, { headers = {}, body }: KeyRequest = {}): Promise<KeyAnswer> {
    const sent = request(this.#url, { method, path: `/keys/${target}`, headers, agent: this.#agent })
    const answered = once(sent, 'response')
    sent.end(body)
    const [response]: IncomingMessage[] = await answered
    if (response === undefined) throw new Error(`${method} ${target}: no answer`)
    return { status: response.statusCode ?? 0, headers: response.headers, body: await buffer(response) }
  }

  get(target: string, headers: Record<string, string> = {}): Promise<KeyAnswer> {
    return this.send('GET', target, { headers })
  }

  put(target: string, body: Uint8Array | string, headers: Record<string, string> = {}): Promise<KeyAnswer> {
    return this.send('PUT', target, { headers, body })
  }

  delete(target: string, headers: Record<string, string> = {}): Promise<KeyAnswer> {
    return this.send('DELETE', target, { headers })
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }
}

/** Every byte percent-encoded: no client, proxy or router can take it for anything else. */
export function escaped(key: Uint8Array | string): string {
  return Buffer.from(key).toString('hex').replaceAll(/../g, '%$&')
}
