import type { Clock } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { EventLog, EventPage, EventQuery } from '../../store/event-log.ts'

/**
 * Reads a page of the log within etcd's request timeout: no client's deadline bounds what a watch reads, and a
 * connection that hangs must not silence it. Fails with an EtcdError: `Timeout` then, and when the signal aborts.
 */
export async function boundedRead(
  events: EventLog,
  query: EventQuery,
  clock: Clock,
  signal: AbortSignal,
): Promise<EventPage> {
  const reading = new AbortController()
  const timer = new AbortController()
  const abort = () => reading.abort()
  const aborted = new Promise<never>((_, reject) => {
    reading.signal.addEventListener('abort', () => reject(EtcdError.of('Timeout')), { once: true })
  })
  signal.addEventListener('abort', abort, { once: true })
  void clock.sleep(LIMITS.requestTimeoutMs, timer.signal).then(() => {
    if (!timer.signal.aborted) abort()
  })
  try {
    if (signal.aborted) abort()
    return await Promise.race([aborted, events.read(query, reading.signal)])
  } finally {
    timer.abort()
    signal.removeEventListener('abort', abort)
  }
}
