import { once } from 'node:events'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { WebSocket } from 'ws'
import { statusOf } from '../../src/grpc/testing/client.ts'
import type { JsonObject } from '../support/gateway.ts'
import { openByGrpc } from './grpc.ts'

/** Everything that came on one connection so far, as text, and whether it has ended. */
export class Listener {
  text = ''
  isEnded = false
  readonly #end: () => void
  readonly #write: (text: string) => void
  #wake = () => {}

  private constructor(end: () => void, write: (text: string) => void) {
    this.#end = end
    this.#write = write
  }

  /** Sends a request; with an `open` body its end is left out, and `send` goes on. */
  static http(
    url: string,
    path: string,
    options: {
      readonly method?: string
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: object
      readonly open?: boolean
      /** Takes nothing in until `resume`; `begun` when the first of it is there to be taken. */
      readonly paused?: boolean
    } = {},
  ): Listener & { readonly begun: Promise<unknown>; resume(): void } {
    const { method = 'POST', headers, body, open = false, paused = false } = options
    const sent: ClientRequest = request(new URL(path, url), { method, headers: { ...headers }, agent: false })
    const listener = new Listener(
      () => sent.destroy(),
      (text) => sent.write(text),
    )
    let response: IncomingMessage | undefined
    let isPaused = paused
    const take = (text: string) => listener.#take(text)
    sent.on('error', () => listener.#ended())
    const begun = new Promise((resolve) => {
      sent.on('response', (incoming) => {
        response = incoming
        incoming.setEncoding('utf8')
        incoming.on('close', () => listener.#ended())
        if (isPaused) incoming.once('readable', resolve)
        else incoming.on('data', take)
      })
    })
    if (body !== undefined) sent.write(JSON.stringify(body))
    if (!open) sent.end()
    return Object.assign(listener, {
      begun,
      resume: () => {
        isPaused = false
        response?.on('data', take)
      },
    })
  }

  /** Opens a WebSocket and sends one frame. */
  static async webSocket(
    url: string,
    path: string,
    headers: Record<string, string>,
    frame: object,
  ): Promise<Listener> {
    const socket = new WebSocket(new URL(path, url.replace(/^http/, 'ws')), { headers })
    const listener = new Listener(
      () => socket.terminate(),
      (text) => socket.send(text),
    )
    socket.on('message', (data: Buffer) => listener.#take(`${data.toString()}\n`))
    socket.on('close', () => listener.#ended())
    await once(socket, 'open')
    socket.send(JSON.stringify(frame))
    return listener
  }

  /** Asks an RPC over gRPC, by the gateway's path and body; each answer is a line, and so is the error at the end. */
  static grpc(url: string, path: string, token: string | undefined, body: JsonObject): Listener {
    const call = openByGrpc(url, path, token, body)
    const listener = new Listener(
      () => call.cancel(),
      () => {},
    )
    call.on('data', (answer: JsonObject) => listener.#take(`${JSON.stringify(answer)}\n`))
    call.on('error', (error) => listener.#take(`${statusOf(error)[1]}\n`))
    call.on('close', () => listener.#ended())
    return listener
  }

  send(body: object): void {
    this.sendText(`${JSON.stringify(body)}\n`)
  }

  /** Part of a body, or a frame, as it is. */
  sendText(text: string): void {
    this.#write(text)
  }

  /** Resolves when the text has it. Rejects when that takes too long, or can't come any more. */
  async until(part: string | RegExp, what: string, timeoutMs = 30_000): Promise<void> {
    const has = () => (typeof part === 'string' ? this.text.includes(part) : part.test(this.text))
    await this.#until(has, `${part} at ${what}`, timeoutMs)
  }

  async end(what: string, timeoutMs = 30_000): Promise<void> {
    await this.#until(() => this.isEnded, `the end of ${what}`, timeoutMs)
  }

  close(): void {
    this.#end()
  }

  async #until(holds: () => boolean, what: string, timeoutMs: number): Promise<void> {
    const deadline = Date.now() + timeoutMs
    while (!holds()) {
      const left = deadline - Date.now()
      if (left <= 0 || this.isEnded) {
        throw new Error(
          `waited for ${what}; ${this.isEnded ? 'it ended' : 'it has'}: ${this.text.slice(-600)}`,
        )
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        this.#wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  }

  #take(text: string): void {
    this.text += text
    this.#wake()
  }

  #ended(): void {
    this.isEnded = true
    this.#wake()
  }
}
