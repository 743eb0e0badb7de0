import type { IncomingMessage } from 'node:http'
import { hostName } from '../host-name.ts'
import { type Answer, NO_STORE, plain } from './answer.ts'

/**
 * What etcd's `--host-whitelist` says to a request without TLS: 421 if the name in its Host header isn't listed, by its
 * exact spelling. It keeps pages out that have their own domain's name lead to this server (DNS rebinding, CVE-2018-5702).
 */
export function refuseHost(hosts: readonly string[], incoming: IncomingMessage): Answer | undefined {
  if (hosts.includes('*') || 'encrypted' in incoming.socket) return undefined
  const name = hostName(incoming.headers.host ?? '')
  if (hosts.includes(name)) return undefined
  const text = [
    `This server doesn't answer to the host name ${JSON.stringify(name)} without TLS.`,
    'If it should, add the name to --host-whitelist, or use https.',
  ]
  return plain(421, `${text.join('\n')}\n`, NO_STORE)
}
