/** A WebSocket client for tests: what comes is read frame by frame, and so is how it ends. */
import { once } from 'node:events'
import { type ClientOptions, WebSocket } from 'ws'

export interface ClientWish extends ClientOptions {
  readonly protocols?: readonly string[]
}

export class WebSocketClient {
  readonly socket: WebSocket
  /** The code with which the connection ended. */
  readonly closed: Promise<number>
  readonly #frames: string[] = []
  #ended = false
  #wake = () => {}

  private constructor(url: string, { protocols = [], ...options }: ClientWish) {
    this.socket = new WebSocket(url, [...protocols], options)
    this.socket.on('error', () => {})
    this.socket.on('message', (data: Buffer, binary) => {
      this.#frames.push(binary ? `binary: ${data}` : data.toString())
      this.#wake()
    })
    this.closed = new Promise((resolve) => {
      this.socket.on('close', (code) => {
        this.#ended = true
        this.#wake()
        resolve(code)
      })
    })
  }

  /** Resolves when the connection is open. Rejects with ws's error when the server refuses it. */
  static async open(url: string, wish: ClientWish = {}): Promise<WebSocketClient> {
    const client = new WebSocketClient(url, wish)
    await once(client.socket, 'open')
    return client
  }

  /** Sends each as a frame of its own: text as text, bytes as binary, anything else as JSON. */
  send(...frames: readonly (string | Uint8Array | object)[]): void {
    for (const frame of frames) {
      const raw = typeof frame === 'string' || frame instanceof Uint8Array
      this.socket.send(raw ? frame : JSON.stringify(frame))
    }
  }

  /** The next frame; undefined when the connection has ended. */
  async next(): Promise<string | undefined> {
    while (this.#frames.length === 0 && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#frames.shift()
  }

  /** The next frame, as JSON. Rejects when the connection has ended instead. */
  async json<T = Record<string, unknown>>(): Promise<T> {
    const frame = await this.next()
    if (frame === undefined) throw new Error(`the connection ended with ${await this.closed}`)
    return JSON.parse(frame) as T
  }

  /** All frames until the connection ends. */
  async rest(): Promise<string[]> {
    const frames: string[] = []
    for (let frame = await this.next(); frame !== undefined; frame = await this.next()) frames.push(frame)
    return frames
  }

  /** Ends the connection without a word. */
  vanish(): void {
    this.socket.terminate()
  }
}
