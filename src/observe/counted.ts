import type { Counter } from './metrics.ts'

/** The same method, and each call that it answers adds 1 to the counter. */
export function counted<A extends readonly unknown[], T>(
  method: (...args: A) => Promise<T>,
  counter: Counter,
): (...args: A) => Promise<T> {
  return async (...args) => {
    const answer = await method(...args)
    counter.add(1)
    return answer
  }
}
