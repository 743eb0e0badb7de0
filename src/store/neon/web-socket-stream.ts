import { Duplex } from 'node:stream'

/** A WebSocket in the form in which `pg` takes a TCP connection: it connects, and carries bytes both ways. */
export class WebSocketStream extends Duplex {
  readonly #url: string
  #socket: WebSocket | undefined

  constructor(url: string) {
    super()
    this.#url = url
  }

  /** Called by `pg`, with an address that doesn't count here. */
  connect(): this {
    const socket = new WebSocket(this.#url)
    this.#socket = socket
    socket.binaryType = 'arraybuffer'
    socket.addEventListener('open', () => this.emit('connect'))
    socket.addEventListener('message', ({ data }) => {
      if (!this.destroyed) this.push(Buffer.from(data as ArrayBuffer))
    })
    socket.addEventListener('error', () => this.destroy(new Error('the WebSocket to the database failed')))
    socket.addEventListener('close', () => this.destroy())
    return this
  }

  /** `pg` asks every connection for it. */
  setNoDelay(): this {
    return this
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.#send(chunk, done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error) => void): void {
    this.#send(Buffer.concat(chunks.map(({ chunk }) => chunk)), done)
  }

  override _final(done: () => void): void {
    done()
    this.destroy()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket?.close()
    done(error)
  }

  #send(bytes: Uint8Array, done: (error?: Error) => void): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) {
      done(new Error('the WebSocket to the database is closed'))
      return
    }
    this.#socket.send(bytes)
    done()
  }
}
