import { cpus } from 'node:os'

/** Of each figure of several rounds the median. */
export function mediansOf<F extends Readonly<Record<keyof F, number>>>(rounds: readonly F[]): F {
  const [first] = rounds
  if (first === undefined) throw new Error('there were no rounds')
  const names = Object.keys(first) as (keyof F)[]
  const median = (name: keyof F): number =>
    rounds.map((round): number => round[name]).toSorted((a, b) => a - b)[rounds.length >> 1] ?? Number.NaN
  return Object.fromEntries(names.map((name) => [name, median(name)])) as F
}

/** What the figures were measured on. */
export const processor = (): string => `${cpus().length} cores (${cpus()[0]?.model.trim()})`
