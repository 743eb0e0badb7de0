import type { Clock, Environment, Log, Random } from './environment.ts'

/** The effects of the platform itself: its clock, its random numbers and the given log. */
export function systemEnvironment(log: Log): Environment {
  return { clock: systemClock, random: systemRandom, log }
}

const systemClock: Clock = {
  now: () => Date.now(),
  sleep(ms, signal) {
    return new Promise((resolve) => {
      if (signal?.aborted) return resolve()
      const wake = () => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      signal?.addEventListener('abort', wake, { once: true })
    })
  },
}

const systemRandom: Random = {
  int63() {
    const [value = 0n] = crypto.getRandomValues(new BigInt64Array(1))
    const positive = BigInt.asUintN(63, value)
    return positive === 0n ? 1n : positive
  },
  fraction: () => Math.random(),
}
