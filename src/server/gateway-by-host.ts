import type { IncomingMessage } from 'node:http'
import { type Answer, NO_STORE, plain } from '../gateway/answer.ts'
import type { Gateway } from '../gateway/node.ts'
import { sendAnswer } from '../gateway/node-http.ts'
import { answerWithoutUpgrade } from '../gateway/websocket/node-upgrade.ts'
import { storeHostName } from '../host-name.ts'

/**
 * Several etcds' gateways on the same connections: a request is that one's whose host name (in lower case) it was made to.
 * One that was made to none of them is answered 421, which tells proxies and clients that it came to the wrong server.
 */
export function gatewayByHost(gateways: ReadonlyMap<string, Gateway>): Gateway {
  const all = new Set(gateways.values())
  const gatewayOf = (incoming: IncomingMessage) =>
    hasTwoHosts(incoming) ? undefined : gateways.get(hostOf(incoming))
  let stopping = false
  return {
    listener(incoming, outgoing) {
      const gateway = gatewayOf(incoming)
      if (gateway !== undefined) return gateway.listener(incoming, outgoing)
      // What it brings along is thrown away as it comes.
      incoming.resume()
      const answer = hasTwoHosts(incoming) ? TOO_MANY_HOSTS : refusal(hostOf(incoming))
      sendAnswer(incoming, outgoing, answer, {}, stopping).catch(() => outgoing.destroy())
    },
    async upgrade(server, incoming, socket, head) {
      const gateway = gatewayOf(incoming)
      if (gateway === undefined) answerWithoutUpgrade(server, incoming, socket, head)
      else await gateway.upgrade(server, incoming, socket, head)
    },
    endStreams() {
      stopping = true
      for (const gateway of all) gateway.endStreams()
    },
    endCalls() {
      for (const gateway of all) gateway.endCalls()
    },
  }
}

/** By a target that is a whole URL, as proxies are sent, the Host header means nothing (RFC 9112, 3.2.2). */
function hostOf({ headers, url = '' }: IncomingMessage): string {
  const [, authority] = /^[^/?]*:\/\/([^/?]*)/.exec(url) ?? []
  return storeHostName(authority ?? headers.host ?? '')
}

/** Whoever stands in between may have taken another one of them than we would. */
function hasTwoHosts({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host').length > 1
}

/** As Go's server says it. */
const TOO_MANY_HOSTS = plain(400, '400 Bad Request: too many Host headers')

function refusal(host: string): Answer {
  const text = [
    `No etcd is served here by the host name ${JSON.stringify(host)}.`,
    'If one should be, add NAME=//HOST to --store.',
  ]
  return plain(421, `${text.join('\n')}\n`, NO_STORE)
}
