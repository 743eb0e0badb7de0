import { type Message, ofStrings, readString } from './hyperdrive-messages.ts'

/** A client's messages, made such that any connection can run them. */
export interface Resolved {
  readonly messages: readonly Message[]
  /** The texts that are run. */
  readonly texts: readonly string[]
  /** Which of the ParseComplete answers, counted from 0, the client hasn't asked for. */
  readonly injected: ReadonlySet<number>
}

/**
 * The prepared statements of one client. Hyperdrive keeps those of the protocol, whichever connection a transaction gets:
 * here each use of one prepares it anew, as the unnamed statement.
 */
export class PreparedStatements {
  /** What follows the name in the Parse message, by name. */
  readonly #parsed = new Map<string, Buffer>()

  /** Takes the messages up to a Sync, or a Query. */
  resolve(messages: readonly Message[]): Resolved {
    const resolved: Message[] = []
    const texts: string[] = []
    const injected = new Set<number>()
    let parses = 0
    let current: string | undefined
    const parse = (name: string) => {
      const rest = this.#parsed.get(name)
      if (rest === undefined) return
      resolved.push({ type: 'P', body: Buffer.concat([ofStrings('', '').body, rest]) })
      parses++
      current = name
    }
    const use = (name: string) => {
      if (name === current) return
      injected.add(parses)
      parse(name)
    }
    for (const message of messages) {
      const { type, body } = message
      switch (type) {
        case 'Q':
          texts.push(readString(body).text)
          resolved.push(message)
          break
        case 'P': {
          const { text: name, next } = readString(body)
          this.#parsed.set(name, body.subarray(next))
          parse(name)
          break
        }
        case 'B': {
          const { text: portal, next } = readString(body)
          const { text: name, next: rest } = readString(body, next)
          use(name)
          texts.push(readString(this.#parsed.get(name) ?? Buffer.alloc(1)).text)
          resolved.push({ type, body: Buffer.concat([ofStrings('', portal, '').body, body.subarray(rest)]) })
          break
        }
        case 'D':
        case 'C': {
          const isStatement = body[0] === 'S'.charCodeAt(0)
          const { text: name } = readString(body, 1)
          if (isStatement && type === 'D') use(name)
          if (isStatement && type === 'C') this.#parsed.delete(name)
          resolved.push(isStatement ? ofStrings(type, 'S') : message)
          break
        }
        default:
          resolved.push(message)
      }
    }
    return { messages: resolved, texts, injected }
  }
}

/** The answer without those ParseComplete messages that the client hasn't asked for. */
export function withoutInjected(
  messages: readonly Message[],
  injected: ReadonlySet<number>,
): readonly Message[] {
  let parses = 0
  return messages.filter(({ type }) => type !== '1' || !injected.has(parses++))
}
