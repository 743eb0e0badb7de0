import type { Socket } from 'node:net'

/** What every connection of HTTP/2 begins with. */
const PREFACE = Buffer.from('PRI * HTTP/2.0')

/** Where a connection goes, by what its client speaks. */
export interface Protocols {
  http1(socket: Socket): void
  http2(socket: Socket): void
}

/**
 * Hands a connection over once its first bytes tell what its client speaks. One that sends nothing for `timeoutMs`
 * milliseconds is closed.
 */
export function sniff(socket: Socket, { http1, http2 }: Protocols, timeoutMs: number): void {
  const giveUp = () => socket.destroy()
  socket.on('error', giveUp)
  socket.setTimeout(timeoutMs, giveUp)
  let begun: Buffer = Buffer.alloc(0)
  // Reading on 'readable' and putting back leaves the socket as its server wants it; 'data' would have it flow.
  const look = () => {
    const bytes: Buffer | null = socket.read()
    if (bytes !== null) begun = Buffer.concat([begun, bytes])
    const mayBeHttp2 = PREFACE.subarray(0, begun.length).equals(begun.subarray(0, PREFACE.length))
    if (mayBeHttp2 && begun.length < PREFACE.length) {
      socket.once('readable', look)
      return
    }
    socket.setTimeout(0, giveUp)
    socket.off('timeout', giveUp)
    socket.off('error', giveUp)
    socket.unshift(begun)
    if (mayBeHttp2) http2(socket)
    else http1(socket)
  }
  socket.once('readable', look)
}
