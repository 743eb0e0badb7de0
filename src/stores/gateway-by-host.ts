import type { IncomingMessage } from 'node:http'
import { type Answer, NO_STORE, plain } from '../gateway/answer.ts'
import type { Gateway } from '../gateway/node.ts'
import { sendAnswer } from '../gateway/node-http.ts'
import { answerWithoutUpgrade } from '../gateway/websocket/node-upgrade.ts'
import { hostName } from '../host-name.ts'

/**
 * Several etcds' gateways on the same connections: a request is that one's whose host name (in lower case) it was made to.
 * One that was made to none of them is answered 421, which tells proxies and clients that it came to the wrong server.
 */
export function gatewayByHost(gateways: ReadonlyMap<string, Gateway>): Gateway {
  const all = new Set(gateways.values())
  const gatewayOf = (incoming: IncomingMessage) => gateways.get(hostOf(incoming))
  let stopping = false
  return {
    listener(incoming, outgoing) {
      const gateway = gatewayOf(incoming)
      if (gateway !== undefined) return gateway.listener(incoming, outgoing)
      // What it brings along is thrown away as it comes.
      incoming.resume()
      sendAnswer(incoming, outgoing, refusal(hostOf(incoming)), {}, stopping).catch(() => outgoing.destroy())
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

function hostOf({ headers }: IncomingMessage): string {
  return hostName(headers.host ?? '').toLowerCase()
}

function refusal(host: string): Answer {
  const text = [
    `No etcd is served here by the host name ${JSON.stringify(host)}.`,
    'If one should be, add NAME=//HOST to --store.',
  ]
  return plain(421, `${text.join('\n')}\n`, NO_STORE)
}
