/** What the comparisons with etcd have in common: both servers, taking turns, and the table of what came of it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEdgetcd } from '../test/support/edgetcd.ts'
import { etcdBinary, startEtcd } from '../test/support/etcd.ts'
import { mediansOf, processor } from './medians.ts'

const ROUNDS = Number(process.env.EDGETCD_BENCH_ROUNDS ?? 3)
const SERVERS = ['etcd', 'edgetcd'] as const

/** Both hold so many keys from the beginning. */
export const KEYS = 10_000

export const b64 = (text: string): string => Buffer.from(text).toString('base64')
export const keyOf = (i: number): string =>
  `/registry/configmaps/default/benchmark-key-${String(i).padStart(6, '0')}`
export const put = (key: number) => ({ key: b64(keyOf(key)), value: b64('x'.repeat(256)) })

export interface Figure {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

export interface Measurement {
  readonly workload: string
  readonly clients: number
  /** Loads the server and gives what one round came to. */
  run(url: string): Figure
}

interface Result extends Pick<Measurement, 'workload' | 'clients'> {
  readonly etcd: Figure
  readonly edgetcd: Figure
}

/**
 * Measures etcd and edgetcd on its embedded PostgreSQL by turns, both syncing to disk, and prints the medians of the
 * rounds: a table, or JSON with `--json`.
 */
export async function besideEtcd(measurements: readonly Measurement[], amount: string): Promise<void> {
  const binary = await etcdBinary()
  if ('missing' in binary) throw new Error(binary.missing)
  const dir = mkdtempSync(join(tmpdir(), 'edgetcd-bench-'))
  await using etcd = await startEtcd(binary.path, '--unsafe-no-fsync=false')
  await using edgetcd = await startEdgetcd({ dataDir: join(dir, 'data') })
  const urls = { etcd: etcd.gateway.url, edgetcd: edgetcd.gateway.url }
  for (const server of SERVERS) await fill(urls[server])
  const results = measurements.map(({ workload, clients, run }): Result => {
    const figures: Record<keyof typeof urls, Figure[]> = { etcd: [], edgetcd: [] }
    for (let round = 1; round <= ROUNDS; round++) {
      for (const server of SERVERS) {
        process.stderr.write(`${workload}, ${clients} clients, ${server}, round ${round} of ${ROUNDS}\n`)
        figures[server].push(run(urls[server]))
      }
    }
    return { workload, clients, etcd: mediansOf(figures.etcd), edgetcd: mediansOf(figures.edgetcd) }
  })
  print(results, amount)
  rmSync(dir, { recursive: true, force: true })
}

async function fill(url: string): Promise<void> {
  for (let first = 0; first < KEYS; first += 100) {
    const success = Array.from({ length: 100 }, (_, i) => ({ requestPut: put(first + i) }))
    const response = await fetch(`${url}/v3/kv/txn`, { method: 'POST', body: JSON.stringify({ success }) })
    if (!response.ok) throw new Error(await response.text())
  }
}

function print(results: readonly Result[], amount: string): void {
  const machine = `${processor()}, Node ${process.version}`
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify({ machine, amount, rounds: ROUNDS, results }, null, 2))
    return
  }
  console.log(`${machine}; ${ROUNDS} rounds of ${amount}, medians\n`)
  console.log('| workload | clients | etcd req/s | p50 / p99 ms | edgetcd req/s | p50 / p99 ms | ratio |')
  console.log('|---|---:|---:|---:|---:|---:|---:|')
  for (const { workload, clients, etcd, edgetcd } of results) {
    const ratio = (edgetcd.requestsPerSecond / etcd.requestsPerSecond).toFixed(2)
    console.log(`| ${workload} | ${clients} | ${cells(etcd)} | ${cells(edgetcd)} | ${ratio} |`)
  }
}

const cells = ({ requestsPerSecond, p50Ms, p99Ms }: Figure): string =>
  `${requestsPerSecond.toFixed(0)} | ${p50Ms.toFixed(1)} / ${p99Ms.toFixed(1)}`
