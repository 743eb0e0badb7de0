import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { createInterface } from 'node:readline'

export interface Metadata {
  readonly name: string
  readonly namespace?: string
  readonly uid?: string
  readonly resourceVersion?: string
  readonly annotations?: Readonly<Record<string, string>>
}

/** An object of Kubernetes, of whatever kind: what lies below `metadata` is the kind's own affair. */
export interface KubeObject {
  readonly apiVersion?: string
  readonly kind?: string
  readonly metadata: Metadata
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: Readonly<Record<string, unknown>>
  readonly status?: Readonly<Record<string, unknown>>
}

export interface KubeList<T = KubeObject> {
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string }
  readonly items: readonly T[]
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR'
  readonly object: KubeObject & { readonly code?: number; readonly message?: string }
}

/** An answer that is no success; `code` is HTTP's. */
export class ApiError extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(`${code}: ${message}`)
    this.code = code
  }
}

const SECONDS_MAX = 60

/** A client of one apiserver, over keep-alive connections of its own. */
export class Api {
  readonly url: string
  readonly #agent: Agent
  readonly #token: string

  constructor(url: string, options: { ca: string; token: string }) {
    this.url = url
    this.#token = options.token
    this.#agent = new Agent({ keepAlive: true, ca: options.ca })
  }

  get<T = KubeObject>(path: string): Promise<T> {
    return this.#call<T>('GET', path)
  }

  list<T = KubeObject>(path: string): Promise<KubeList<T>> {
    return this.#call('GET', path)
  }

  create(path: string, object: object): Promise<KubeObject> {
    return this.#call('POST', path, object)
  }

  replace(path: string, object: object): Promise<KubeObject> {
    return this.#call('PUT', path, object)
  }

  /** A JSON merge patch. */
  patch(path: string, change: object): Promise<KubeObject> {
    return this.#call('PATCH', path, change)
  }

  delete(path: string): Promise<KubeObject> {
    return this.#call('DELETE', path)
  }

  /** Whether the server says that it is ready; false, too, when nobody answers. */
  async isReady(): Promise<boolean> {
    try {
      const answer = await this.#send('GET', '/readyz')
      answer.resume()
      return answer.statusCode === 200
    } catch {
      return false
    }
  }

  /** The events of a watch as they come. Leaving the loop ends the watch; `timeoutSeconds` does so from the server's side. */
  async *watch(path: string): AsyncGenerator<WatchEvent> {
    const sign = path.includes('?') ? '&' : '?'
    const answer = await this.#send('GET', `${path}${sign}watch=1&timeoutSeconds=${SECONDS_MAX}`)
    if (answer.statusCode !== 200) throw await failure(answer)
    try {
      for await (const line of createInterface({ input: answer })) yield JSON.parse(line) as WatchEvent
    } finally {
      answer.destroy()
    }
  }

  close(): void {
    this.#agent.destroy()
  }

  async #call<T>(method: string, path: string, body?: object): Promise<T> {
    const answer = await this.#send(method, path, body)
    if ((answer.statusCode ?? 0) >= 300) throw await failure(answer)
    return JSON.parse(await text(answer)) as T
  }

  #send(method: string, path: string, body?: object): Promise<IncomingMessage> {
    const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
    const headers = { authorization: `Bearer ${this.#token}`, ...(body ? { 'content-type': type } : {}) }
    return new Promise((resolve, reject) => {
      const sent = request(new URL(path, this.url), { method, agent: this.#agent, headers }, resolve)
      sent.once('error', reject)
      sent.end(body ? JSON.stringify(body) : undefined)
    })
  }
}

async function failure(answer: IncomingMessage): Promise<ApiError> {
  const body = await text(answer)
  const message = body.startsWith('{') ? String((JSON.parse(body) as { message?: string }).message) : body
  return new ApiError(answer.statusCode ?? 0, message)
}

async function text(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}
