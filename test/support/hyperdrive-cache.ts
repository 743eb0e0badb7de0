import type { Message } from './hyperdrive-messages.ts'

/**
 * Hyperdrive's query cache, by its documentation: https://developers.cloudflare.com/hyperdrive/concepts/query-caching/
 *
 * The answer to a SELECT is kept by its text and parameters, and nothing that is written makes it go away. Not kept is
 * what names a function that PostgreSQL calls volatile or stable, found as a word of the text, comments included. The
 * documentation lists these, "common" ones; no function of our own can be among them. A comment isn't part of the key.
 * Whether a write within a WITH is noticed isn't said, so here it isn't.
 */
const UNCACHEABLE =
  /\b(current_(timestamp|date|time)|localtime(stamp)?)\b|\b(now|timeofday|random|lastval|txid_current)\s*\(/i

/** `max_age` is 60 seconds by default, and then an answer may be served for 15 more while it is fetched anew. */
const LIFETIME_MS = 75_000

const withoutComments = (text: string): string => text.replaceAll(/(\/\*[\s\S]*?\*\/|--.*$)\s*/gm, '').trim()

/** Where a function's name makes a text uncacheable. The documentation: in a comment it can. */
export type NamesCount = 'anywhere' | 'outside comments' | 'nowhere'

/** Whether the answer to a text may be kept. */
export function isCacheable(text: string, namesCount: NamesCount): boolean {
  const bare = withoutComments(text)
  if (!/^(select|with)\b/i.test(bare) || /;./s.test(bare)) return false
  return namesCount === 'nowhere' || !UNCACHEABLE.test(namesCount === 'anywhere' ? text : bare)
}

/** What two units of messages have in common when one's answer is given to the other. */
export function cacheKey(messages: readonly Message[]): string {
  return messages
    .map(({ type, body }) => {
      const text = body.toString('latin1')
      return type + (type === 'P' || type === 'Q' ? withoutComments(text) : text)
    })
    .join('\n')
}

/** The answers that are kept. */
export class QueryCache {
  readonly #kept = new Map<string, { readonly at: number; readonly answer: Buffer }>()

  get(key: string): Buffer | undefined {
    const kept = this.#kept.get(key)
    return kept !== undefined && Date.now() - kept.at < LIFETIME_MS ? kept.answer : undefined
  }

  set(key: string, answer: Buffer): void {
    this.#kept.set(key, { at: Date.now(), answer })
  }
}
