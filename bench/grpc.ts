/**
 * edgetcd beside etcd over gRPC: the load of etcd's own benchmark program on both, in turn, on this machine, in this run.
 * Both sync to disk.
 *
 *   npm run build && npm run bench:grpc       needs Go for the program; EDGETCD_ETCD_BINARY may name an etcd
 *   npm run bench:grpc -- --json              the figures as JSON
 *   EDGETCD_BENCH_ROUNDS=5 npm run bench:grpc
 *
 * A figure is the median over the rounds. Client and servers share the machine: compare columns, trust no absolute.
 */
import { spawnSync } from 'node:child_process'
import { buildReleased } from '../test/support/go.ts'
import { besideEtcd, type Figure, KEYS, keyOf, type Measurement } from './beside-etcd.ts'

/** The newest release whose module the program can be had from. */
const PROGRAM_VERSION = '3.6.8'
const PUT = ['--key-size', '46', '--val-size', '256', '--key-space-size', String(KEYS)]

interface Workload {
  readonly name: string
  readonly command: readonly string[]
  /** How many requests there are with how many clients. */
  readonly totals: Readonly<Record<number, number>>
  /** The flag for the total. */
  readonly totalFlag?: string
}

const WORKLOADS: readonly Workload[] = [
  { name: 'put, 256 B', command: ['put', ...PUT], totals: { 1: 2_000, 64: 30_000 } },
  { name: 'txn of 4 puts', command: ['txn-put', ...PUT, '--txn-ops', '4'], totals: { 64: 10_000 } },
  { name: 'get', command: ['range', keyOf(7)], totals: { 1: 5_000, 64: 50_000 } },
  { name: 'range of 100 keys', command: ['range', keyOf(100), keyOf(200)], totals: { 1: 1_000, 64: 5_000 } },
  {
    name: 'STM on 100 keys',
    command: ['stm', '--keys', '100', '--val-size', '256'],
    totals: { 64: 10_000 },
  },
  { name: 'lease keep-alive', command: ['lease-keepalive'], totals: { 1: 2_000, 64: 20_000 } },
  {
    name: 'event after its put, 100 watchers',
    command: ['watch-latency', '--put-rate', '100', '--val-size', '256'],
    totals: { 1: 400 },
    totalFlag: '--put-total',
  },
]

/** Of several reports the last: a latency of watching comes behind that of the puts. */
function read(report: string): Figure {
  const last = (pattern: RegExp): number => Number([...report.matchAll(pattern)].at(-1)?.[1])
  const figure = {
    requestsPerSecond: last(/Requests\/sec:\s+([\d.]+)/g),
    p50Ms: last(/50% in ([\d.e-]+) secs/g) * 1000,
    p99Ms: last(/ 99% in ([\d.e-]+) secs/g) * 1000,
  }
  if (Object.values(figure).some(Number.isNaN) || /Error distribution/.test(report)) {
    throw new Error(`the benchmark program failed:\n${report}`)
  }
  return figure
}

function run(program: string, url: string, workload: Workload, clients: number, total: number): Figure {
  // As many clients on a connection as etcd's documentation measures with.
  const connections = Math.ceil(clients / 10)
  const { stdout, stderr, status } = spawnSync(
    program,
    [
      ...['--endpoints', new URL(url).host, '--precise'],
      ...['--clients', String(clients), '--conns', String(connections)],
      ...workload.command,
      ...[workload.totalFlag ?? '--total', String(total)],
    ],
    { encoding: 'utf8', maxBuffer: 2 ** 28 },
  )
  if (status !== 0) throw new Error(`the benchmark program failed:\n${stdout}${stderr.slice(-2_000)}`)
  return read(stdout)
}

const program = await buildReleased('benchmark', 'go.etcd.io/etcd/v3/tools/benchmark', PROGRAM_VERSION)
if ('missing' in program) throw new Error(program.missing)
const measurements = WORKLOADS.flatMap((workload) =>
  Object.entries(workload.totals).map(
    ([clients, total]): Measurement => ({
      workload: workload.name,
      clients: Number(clients),
      run: (url) => run(program.path, url, workload, Number(clients), total),
    }),
  ),
)
await besideEtcd(measurements, 'a fixed number of requests')
