/**
 * The ways to run the Worker side by side: the bundle as it is deployed, in plain workerd, on one PostgreSQL that syncs to
 * disk. A commit is made as slow as a cloud's by commit_delay.
 *
 *   npm run bench:worker                 all of it, some eight minutes
 *   npm run bench:worker -- --json       the figures as JSON
 *   EDGETCD_BENCH_SECONDS=2 EDGETCD_BENCH_ROUNDS=1 EDGETCD_BENCH_COMMIT_DELAYS=5000 npm run bench:worker
 *
 * A figure is the median over rounds in which the ways take turns. Load, workerd, PostgreSQL and Neon's stand-in share the
 * machine: compare columns, trust no absolute.
 */
import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { startPostgres } from '../test/support/postgres.ts'
import { prepareWorker, type WorkerProcess } from '../test/support/prepared-worker.ts'
import { chosenWays, WAY_NAMES, type WayName, WORKER_WAYS } from '../test/support/worker-ways.ts'
import { mediansOf, processor } from './medians.ts'
import { FILLED_KEYS, type LoadFigure, type LoadOptions, putOf, type Workload } from './worker-load.ts'

const SECONDS = Number(process.env.EDGETCD_BENCH_SECONDS ?? 4)
const ROUNDS = Number(process.env.EDGETCD_BENCH_ROUNDS ?? 3)
const COMMIT_DELAYS_US = (process.env.EDGETCD_BENCH_COMMIT_DELAYS ?? '0,2000,5000').split(',').map(Number)
const WARM_UP_SECONDS = 0.5
const WAYS = chosenWays(WAY_NAMES)

interface Figure extends LoadFigure {
  /** What one request cost workerd, in milliseconds of CPU. */
  readonly cpuMs: number
}
interface Measurement {
  readonly workload: Workload
  readonly clients: number
  readonly commitDelayUs: number
}
interface Result extends Measurement {
  readonly figures: Readonly<Partial<Record<WayName, Figure>>>
}

/** What is measured: commits don't matter to a get. */
const MEASUREMENTS: readonly Measurement[] = [
  ...COMMIT_DELAYS_US.flatMap((commitDelayUs): Measurement[] => [
    { workload: 'put', clients: 64, commitDelayUs },
    { workload: 'compare-and-swap', clients: 64, commitDelayUs },
    { workload: 'put', clients: 1, commitDelayUs },
  ]),
  { workload: 'get', clients: 64, commitDelayUs: 0 },
]

/** The CPU that a process has used so far, in milliseconds: Linux counts it in hundredths of a second. */
function cpuMsOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) * 10
}

async function measure(worker: WorkerProcess, { workload, clients }: Measurement): Promise<Figure> {
  const { port } = worker
  const options: LoadOptions = { port, workload, clients, seconds: SECONDS, warmUpSeconds: WARM_UP_SECONDS }
  const before = cpuMsOf(worker.pid)
  const script = fileURLToPath(new URL('worker-load.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(options)])
  const figure = JSON.parse(stdout) as LoadFigure
  const requests = figure.requestsPerSecond * (SECONDS + WARM_UP_SECONDS)
  return { ...figure, cpuMs: (cpuMsOf(worker.pid) - before) / requests }
}

async function fill({ gateway }: WorkerProcess): Promise<void> {
  for (let first = 0; first < FILLED_KEYS; first += 100) {
    const success = Array.from({ length: 100 }, (_, i) => ({ request_put: putOf(first + i) }))
    await gateway.ok('/v3/kv/txn', { success })
  }
}

async function main(): Promise<void> {
  await using cleanup = new AsyncDisposableStack()
  const settings = { max_connections: '400', commit_siblings: '0' }
  const postgres = cleanup.use(await startPostgres(18, { durable: true, settings }))
  const workers = new Map<WayName, WorkerProcess>()
  for (const name of WAYS) {
    const database = { databaseUrl: postgres.url, schema: postgres.freshSchema() }
    const prepared = cleanup.use(await prepareWorker({ ...database, ...WORKER_WAYS[name] }))
    const worker = cleanup.use(await prepared.start())
    await fill(worker)
    workers.set(name, worker)
  }
  const results: Result[] = []
  for (const measurement of MEASUREMENTS) {
    const { workload, clients, commitDelayUs } = measurement
    await postgres.query(`alter system set commit_delay = ${commitDelayUs}`)
    await postgres.query('select pg_reload_conf()')
    const figures = new Map<WayName, Figure[]>(WAYS.map((name) => [name, []]))
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, worker] of workers) {
        process.stderr.write(
          `${workload}, ${clients} clients, commit_delay ${commitDelayUs}, round ${round + 1}, ${name}\n`,
        )
        figures.get(name)?.push(await measure(worker, measurement))
      }
    }
    const medians = [...figures].map(([name, all]) => [name, mediansOf(all)])
    results.push({ ...measurement, figures: Object.fromEntries(medians) })
  }
  print(results)
}

/** How often the best way with the coordinator does what the best without it does. */
function gain({ figures }: Result): number {
  const best = (coordinator: boolean) =>
    Math.max(
      ...WAYS.filter((name) => WORKER_WAYS[name].coordinator === coordinator).map(
        (name) => figures[name]?.requestsPerSecond ?? 0,
      ),
    )
  return best(true) / best(false)
}

function print(results: readonly Result[]): void {
  const machine = processor()
  if (process.argv.includes('--json')) {
    const gains = results.map((result) => ({ ...result, gain: gain(result) }))
    console.log(JSON.stringify({ machine, seconds: SECONDS, rounds: ROUNDS, results: gains }, null, 2))
    return
  }
  console.log(`${machine}; ${ROUNDS} rounds of ${SECONDS} s, medians`)
  printTable('Requests a second', results, (figure) => figure.requestsPerSecond.toFixed(0), gain)
  printTable(
    'Latency, 50th / 99th percentile in ms',
    results,
    ({ p50Ms, p99Ms }) => `${p50Ms.toFixed(1)} / ${p99Ms.toFixed(1)}`,
  )
  printTable('CPU of workerd, ms a request', results, (figure) => figure.cpuMs.toFixed(2))
}

/** A line for each measurement, a column for each way, and the gain if it is asked for. */
function printTable(
  title: string,
  results: readonly Result[],
  cellOf: (figure: Figure) => string,
  gainOf?: (result: Result) => number,
): void {
  const line = (cells: readonly (string | number)[]) => console.log(`| ${cells.join(' | ')} |`)
  const last = gainOf ? ['gain'] : []
  console.log(`\n${title}:\n`)
  line(['workload', 'clients', 'commit_delay µs', ...WAYS, ...last])
  line(['---', '---:', '---:', ...WAYS.map(() => '---:'), ...last.map(() => '---:')])
  for (const result of results) {
    const { workload, clients, commitDelayUs, figures } = result
    const cells = WAYS.map((name) => (figures[name] ? cellOf(figures[name]) : ''))
    line([workload, clients, commitDelayUs, ...cells, ...(gainOf ? [gainOf(result).toFixed(1)] : [])])
  }
}

await main()
