import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

/**
 * Answers a request as if it hadn't asked to upgrade, as HTTP wants of a server that doesn't know the protocol: Java's
 * client asks for `h2c` with its first request. Node hands every such request over without its body once somebody
 * listens for upgrades, so the server gets the connection anew, and the request without that header.
 */
export function answerWithoutUpgrade(
  server: Server,
  incoming: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  const { method, url, httpVersion, rawHeaders } = incoming
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let i = 0; i < rawHeaders.length; i += 2) {
    if (rawHeaders[i]?.toLowerCase() !== 'upgrade') lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  }
  socket.unshift(head)
  socket.unshift(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'))
  server.emit(socket instanceof TLSSocket ? 'secureConnection' : 'connection', socket)
}

/**
 * Resolves when the requests before on a connection have their answers. Node hands over one that wants to upgrade while it
 * still answers those, and its server fails, as a process, when it then gets the connection anew.
 */
export async function untilAnswered(socket: Duplex, answers: readonly ServerResponse[]): Promise<void> {
  // Nobody else listens to the connection meanwhile, and an error that nobody hears ends the process.
  const ignore = () => {}
  socket.on('error', ignore)
  await Promise.all(answers.map((answer) => new Promise((resolve) => answer.once('close', resolve))))
  if (!socket.destroyed) socket.off('error', ignore)
}
