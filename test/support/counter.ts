import { b64, type Gateway, type TxnAnswer, text } from './gateway.ts'

/** The key that clients count in. */
export const COUNTER = 'counter'

interface Register {
  readonly value: number
  readonly modRevision: string
}

/** Adds one to the counter if nobody else did meanwhile: the revision of the write, or what the counter is now. */
async function increment(gateway: Gateway, seen: Register): Promise<{ revision: number } | Register> {
  const txn = await gateway.ok<TxnAnswer>('/v3/kv/txn', {
    compare: [{ key: b64(COUNTER), target: 'MOD', mod_revision: seen.modRevision }],
    success: [{ request_put: { key: b64(COUNTER), value: b64(String(seen.value + 1)) } }],
    failure: [{ request_range: { key: b64(COUNTER) } }],
  })
  if (txn.succeeded) return { revision: Number(txn.header.revision) }
  const kv = txn.responses?.[0]?.response_range?.kvs?.[0]
  if (!kv) throw new Error('the counter is gone')
  return { value: Number(text(kv.value ?? '')), modRevision: kv.mod_revision }
}

/** One client: increments until the time is over. Gives the revisions of its increments. */
export async function incrementUntil(deadline: number, gateway: Gateway): Promise<number[]> {
  const revisions: number[] = []
  let seen: Register = { value: 0, modRevision: '0' }
  while (Date.now() < deadline) {
    const outcome = await increment(gateway, seen)
    if ('revision' in outcome) {
      revisions.push(outcome.revision)
      seen = { value: seen.value + 1, modRevision: String(outcome.revision) }
    } else seen = outcome
  }
  return revisions
}

/** As many numbers in a row, from the first one on. */
export const upTo = (count: number, first: number): number[] =>
  Array.from({ length: count }, (_, i) => first + i)
