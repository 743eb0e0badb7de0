/** The ways to run the Worker: which driver takes it to the database, and whether it has the Durable Object. */
export interface WorkerWay {
  readonly driver: 'hyperdrive' | 'neon'
  readonly coordinator: boolean
}

/** All of them, by their names in tests, tables and EDGETCD_WORKER_WAYS. */
export const WORKER_WAYS = {
  hyperdrive: { driver: 'hyperdrive', coordinator: false },
  neon: { driver: 'neon', coordinator: false },
  'hyperdrive+coordinator': { driver: 'hyperdrive', coordinator: true },
  'neon+coordinator': { driver: 'neon', coordinator: true },
} as const satisfies Readonly<Record<string, WorkerWay>>

export type WayName = keyof typeof WORKER_WAYS

/** Every name, in the order of the table above. */
export const WAY_NAMES = Object.keys(WORKER_WAYS) as readonly WayName[]

/** The ways that EDGETCD_WORKER_WAYS names, between commas (`all`: each); without it those that CI has time for. */
export function chosenWays(inCi: readonly WayName[]): readonly WayName[] {
  const asked = process.env.EDGETCD_WORKER_WAYS
  if (asked === undefined) return inCi
  if (asked === 'all') return WAY_NAMES
  return asked.split(',').map((word) => {
    const name = WAY_NAMES.find((known) => known === word)
    if (name === undefined) throw new Error(`EDGETCD_WORKER_WAYS: ${word} is none of ${WAY_NAMES.join(', ')}`)
    return name
  })
}
