import { BodyBudget } from '../rpc/body-budget.ts'
import { JsonStream } from './json/index.ts'

/**
 * The JSON values of a body that is still growing, each as soon as it is complete. Fails with an EtcdError, after the
 * values before it, at the first wrong byte, or when a value or all that the process receives is too large.
 */
export async function* jsonValues(
  body: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const values = new JsonStream()
  const budget = new BodyBudget()
  try {
    for await (const chunk of body) {
      budget.take(chunk.byteLength)
      yield* values.push(chunk)
      if (!values.holds) budget.release()
    }
    yield* values.end()
  } finally {
    budget.release()
  }
}
