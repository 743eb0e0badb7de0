import type { Clock } from '../environment.ts'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { TIMER_MAX_MS } from './timer.ts'

/** What the units of a timeout come to. */
export const UNIT_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
}

/**
 * Reads a Grpc-Timeout header (`5S`, `100m`) into milliseconds; undefined when there is none, and for zero, which
 * means none to the gateway. Fails with InvalidArgument in grpc-gateway's words.
 */
export function readTimeout(header: string | undefined): number | undefined {
  if (header === undefined || header === '') return undefined
  const unit = UNIT_MS[header.slice(-1)]
  const digits = header.slice(0, -1)
  if (unit === undefined || !/^[+-]?[0-9]+$/.test(digits) || !isInt64(BigInt(digits.replace('+', '')))) {
    throw new EtcdError(GrpcCode.InvalidArgument, `invalid grpc-timeout: ${header}`)
  }
  const timeoutMs = Math.min(Number(digits) * unit, TIMER_MAX_MS)
  return timeoutMs === 0 ? undefined : timeoutMs
}

function isInt64(value: bigint): boolean {
  return BigInt.asIntN(64, value) === value
}

/**
 * How long a call lives: as long as its request at most, and shorter when its time is up or something ends it. The
 * reason of the signal is what the client is told.
 */
export class Lifetime {
  readonly #controller = new AbortController()
  readonly #parent: AbortSignal
  readonly #followParent = () => this.end(endOf(this.#parent))

  constructor(parent: AbortSignal) {
    this.#parent = parent
    if (parent.aborted) this.end(endOf(parent))
    else parent.addEventListener('abort', this.#followParent, { once: true })
  }

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  /** Ends after `timeoutMs` milliseconds. Less than one has passed before anything can be done. */
  endAfter(timeoutMs: number, clock: Clock, reason: EtcdError): void {
    if (timeoutMs < 1) this.end(reason)
    else void clock.sleep(timeoutMs, this.signal).then(() => this.end(reason))
  }

  /** Ends now, timers included. Only the first reason counts. */
  end(reason: unknown): void {
    this.#parent.removeEventListener('abort', this.#followParent)
    this.#controller.abort(reason)
  }

  /** Waits for the work no longer than the lifetime, and fails with its reason; the work is then on its own. */
  async race<T>(work: () => Promise<T>): Promise<T> {
    this.signal.throwIfAborted()
    let expire = () => {}
    const expired = new Promise<never>((_, reject) => {
      expire = () => reject(this.signal.reason)
    })
    this.signal.addEventListener('abort', expire, { once: true })
    try {
      return await Promise.race([work(), expired])
    } finally {
      this.signal.removeEventListener('abort', expire)
    }
  }
}

/** Why a request has ended. Where the platform says it, in words of its own, its client has gone. */
export function endOf({ reason }: AbortSignal): EtcdError {
  return reason instanceof EtcdError ? reason : EtcdError.of('Canceled', reason)
}
