import type { ServerHttp2Session } from 'node:http2'

/** Timers can't be set further ahead. */
const INTERVAL_MAX_MS = 2 ** 31 - 1

/** Pings a connection every `intervalMs` milliseconds, and ends it when that isn't answered within `timeoutMs`. */
export function keepAlive(session: ServerHttp2Session, intervalMs: number, timeoutMs: number): void {
  let timer: NodeJS.Timeout
  const rest = () => {
    timer = setTimeout(ask, Math.min(intervalMs, INTERVAL_MAX_MS)).unref()
  }
  const ask = () => {
    if (session.closed || session.destroyed) return
    timer = setTimeout(() => session.destroy(), Math.min(timeoutMs, INTERVAL_MAX_MS)).unref()
    session.ping((error) => {
      clearTimeout(timer)
      if (error === null) rest()
    })
  }
  session.once('close', () => clearTimeout(timer))
  rest()
}
