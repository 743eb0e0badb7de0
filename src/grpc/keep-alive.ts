import type { ServerHttp2Session } from 'node:http2'
import { TIMER_MAX_MS } from '../rpc/timer.ts'

/** Pings a connection every `intervalMs` milliseconds, and ends it when that isn't answered within `timeoutMs`. */
export function keepAlive(session: ServerHttp2Session, intervalMs: number, timeoutMs: number): void {
  let timer: NodeJS.Timeout
  const rest = () => {
    timer = setTimeout(ask, Math.min(intervalMs, TIMER_MAX_MS)).unref()
  }
  const ask = () => {
    if (session.closed || session.destroyed) return
    timer = setTimeout(() => session.destroy(), Math.min(timeoutMs, TIMER_MAX_MS)).unref()
    session.ping((error) => {
      clearTimeout(timer)
      if (error === null) rest()
    })
  }
  session.once('close', () => clearTimeout(timer))
  rest()
}
