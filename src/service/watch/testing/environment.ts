import type { Clock, Environment } from '../../../environment.ts'

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

/** A clock that stands still until it is told to go on. */
export class ManualClock implements Clock {
  private time = 1_700_000_000_000
  private readonly sleepers = new Set<Sleeper>()

  get sleeping(): number {
    return this.sleepers.size
  }

  now(): number {
    return this.time
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.sleepers.delete(sleeper)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      const sleeper = { at: this.time + ms, wake }
      this.sleepers.add(sleeper)
      signal?.addEventListener('abort', wake, { once: true })
      if (signal?.aborted === true) wake()
    })
  }

  /** Lets time pass up to the next sleeper, but not more than `ms`, and wakes that if it is its time. */
  advance(ms: number): void {
    const next = this.next()
    this.time = Math.max(this.time, Math.min(this.time + ms, next?.at ?? Number.POSITIVE_INFINITY))
    if (next !== undefined && next.at <= this.time) next.wake()
  }

  /** Lets so much time pass, and everything that it wakes run. */
  async pass(ms: number): Promise<void> {
    const end = this.time + ms
    await settled()
    while ((this.next()?.at ?? end + 1) <= end) {
      this.advance(ms)
      await settled()
    }
    this.time = end
  }

  private next(): Sleeper | undefined {
    let next: Sleeper | undefined
    for (const sleeper of this.sleepers) if (next === undefined || sleeper.at < next.at) next = sleeper
    return next
  }
}

/** After everything that can run without waiting for time has run. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}

export interface LogLine {
  readonly level: string
  readonly message: string
}

export function testEnvironment(
  clock: Clock,
  fraction = () => 0.5,
): Environment & { readonly lines: LogLine[] } {
  const lines: LogLine[] = []
  return {
    lines,
    clock,
    random: { int63: () => 1n, fraction },
    log: (level, message) => {
      lines.push({ level, message })
    },
  }
}
