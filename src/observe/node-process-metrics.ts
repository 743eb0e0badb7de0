import { readdirSync, readFileSync } from 'node:fs'
import type { Metrics } from './metrics.ts'

/** What Prometheus' clients tell of the process that they run in, as far as Node and the system know it. */
export function addProcessMetrics(metrics: Metrics): void {
  const startSeconds = Date.now() / 1000 - process.uptime()
  metrics.counted('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.', () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  metrics.gauge('process_max_fds', 'Maximum number of open file descriptors.', () => {
    const [, soft] =
      /^Max open files\s+(\d+)/m.exec(read(() => readFileSync('/proc/self/limits', 'utf8')) ?? '') ?? []
    return soft === undefined ? undefined : Number(soft)
  })
  metrics.gauge(
    'process_open_fds',
    'Number of open file descriptors.',
    () => read(() => readdirSync('/proc/self/fd'))?.length,
  )
  metrics.gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', () =>
    process.memoryUsage.rss(),
  )
  metrics.gauge(
    'process_start_time_seconds',
    'Start time of the process since unix epoch in seconds.',
    () => startSeconds,
  )
}

/** Undefined where the system has no such file. */
function read<T>(from: () => T): T | undefined {
  try {
    return from()
  } catch {
    return undefined
  }
}
