import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/** Whom the certificate of a connection's client names; undefined when it has none. */
export function commonNameOf(socket: Socket | TLSSocket): string | undefined {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return undefined
  const name: string | string[] | undefined = socket.getPeerCertificate().subject?.CN
  // Of several the last, which is Go's.
  return Array.isArray(name) ? name.at(-1) : name
}
