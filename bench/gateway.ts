/**
 * edgetcd beside etcd's own JSON gateway: the same load on both, in turn, on this machine, in this run. Both sync to disk.
 *
 *   npm run build && npm run bench            needs wrk (Debian: apt-get install wrk) and Go, or EDGETCD_ETCD_BINARY
 *   npm run bench -- --json                   the figures as JSON
 *   EDGETCD_BENCH_SECONDS=10 EDGETCD_BENCH_ROUNDS=5 npm run bench
 *
 * A figure is the median over the rounds. Client and servers share the machine: compare columns, trust no absolute.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEdgetcd } from '../test/support/edgetcd.ts'
import { etcdBinary, startEtcd } from '../test/support/etcd.ts'

const SECONDS = Number(process.env.EDGETCD_BENCH_SECONDS ?? 5)
const ROUNDS = Number(process.env.EDGETCD_BENCH_ROUNDS ?? 3)
const KEYS = 10_000

const b64 = (text: string): string => Buffer.from(text).toString('base64')
const keyOf = (i: number): string =>
  `/registry/configmaps/default/benchmark-key-${String(i).padStart(6, '0')}`
const VALUE = b64('x'.repeat(256))

/** Bodies of 1,000 requests, spread over all keys, for one workload. */
const bodies = (of: (key: number) => object): string[] =>
  Array.from({ length: 1000 }, (_, i) => JSON.stringify(of((i * 7919) % KEYS)))

const put = (key: number) => ({ key: b64(keyOf(key)), value: VALUE })

const WORKLOADS = [
  { name: 'put, 256 B', path: '/v3/kv/put', connections: [1, 64], bodies: bodies(put) },
  {
    name: 'compare-and-swap',
    path: '/v3/kv/txn',
    connections: [1, 64],
    bodies: bodies((key) => ({
      compare: [{ key: b64(keyOf(key)), target: 'VERSION', result: 'GREATER', version: '0' }],
      success: [{ requestPut: put(key) }],
      failure: [{ requestRange: { key: b64(keyOf(key)) } }],
    })),
  },
  {
    name: 'get',
    path: '/v3/kv/range',
    connections: [1, 64],
    bodies: bodies((key) => ({ key: b64(keyOf(key)) })),
  },
  {
    name: 'range of 100 keys',
    path: '/v3/kv/range',
    connections: [1, 64],
    bodies: bodies((key) => {
      const first = key - (key % 100)
      return { key: b64(keyOf(first)), range_end: b64(keyOf(first + 100)) }
    }),
  },
  {
    name: 'first 100 of 10,000 keys',
    path: '/v3/kv/range',
    connections: [64],
    bodies: [JSON.stringify({ key: b64('/registry/'), range_end: b64('/registry0'), limit: 100 })],
  },
] as const

interface Figure {
  readonly requestsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** wrk plays prepared requests, one after the other. */
function script(dir: string, name: string, requests: readonly string[]): string {
  const path = join(dir, `${name.replaceAll(/\W+/g, '-')}.lua`)
  const list = requests.map((body) => `[==[${body}]==]`).join(',\n')
  writeFileSync(
    path,
    `local bodies = {${list}}
local i = math.random(#bodies)
function request()
  i = i % #bodies + 1
  return wrk.format('POST', nil, nil, bodies[i])
end
`,
  )
  return path
}

function milliseconds(text: string): number {
  const [, number, unit] = /^([\d.]+)(us|ms|s)$/.exec(text) ?? []
  return Number(number) * { us: 0.001, ms: 1, s: 1000 }[unit as 'us' | 'ms' | 's']
}

function run(url: string, path: string, connections: number, lua: string): Figure {
  const args = ['-t', '1', '-c', String(connections), '-d', `${SECONDS}s`, '--latency', '-s', lua, url + path]
  const { stdout, status } = spawnSync('wrk', args, { encoding: 'utf8' })
  if (status !== 0 || /Non-2xx|Socket errors/.test(stdout)) throw new Error(`wrk failed:\n${stdout}`)
  const figure = (pattern: RegExp): string => pattern.exec(stdout)?.[1] ?? ''
  return {
    requestsPerSecond: Number(figure(/Requests\/sec:\s+([\d.]+)/)),
    p50Ms: milliseconds(figure(/^\s+50%\s+(\S+)/m)),
    p99Ms: milliseconds(figure(/^\s+99%\s+(\S+)/m)),
  }
}

const median = (values: number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN
const medianOf = (figures: Figure[]): Figure => ({
  requestsPerSecond: median(figures.map((f) => f.requestsPerSecond)),
  p50Ms: median(figures.map((f) => f.p50Ms)),
  p99Ms: median(figures.map((f) => f.p99Ms)),
})

async function fill(url: string): Promise<void> {
  for (let first = 0; first < KEYS; first += 100) {
    const success = Array.from({ length: 100 }, (_, i) => ({ requestPut: put(first + i) }))
    const response = await fetch(`${url}/v3/kv/txn`, { method: 'POST', body: JSON.stringify({ success }) })
    if (!response.ok) throw new Error(await response.text())
  }
}

async function main(): Promise<void> {
  if (spawnSync('wrk').error) throw new Error('wrk is not installed (Debian: apt-get install wrk)')
  const binary = await etcdBinary()
  if ('missing' in binary) throw new Error(binary.missing)
  const dir = mkdtempSync(join(tmpdir(), 'edgetcd-bench-'))
  await using etcd = await startEtcd(binary.path)
  await using edgetcd = await startEdgetcd({ dataDir: join(dir, 'data') })
  const servers = { etcd: etcd.gateway.url, edgetcd: edgetcd.gateway.url }
  for (const url of Object.values(servers)) await fill(url)

  const results = []
  for (const { name, path, connections, bodies: requests } of WORKLOADS) {
    const lua = script(dir, name, requests)
    for (const count of connections) {
      const figures: Record<keyof typeof servers, Figure[]> = { etcd: [], edgetcd: [] }
      for (let round = 0; round < ROUNDS; round++) {
        for (const server of ['etcd', 'edgetcd'] as const) {
          process.stderr.write(`${name}, ${count} connections, ${server}, round ${round + 1} of ${ROUNDS}\n`)
          figures[server].push(run(servers[server], path, count, lua))
        }
      }
      results.push({
        workload: name,
        connections: count,
        etcd: medianOf(figures.etcd),
        edgetcd: medianOf(figures.edgetcd),
      })
    }
  }
  print(results)
  rmSync(dir, { recursive: true, force: true })
}

function print(results: { workload: string; connections: number; etcd: Figure; edgetcd: Figure }[]): void {
  if (process.argv.includes('--json')) {
    console.log(JSON.stringify({ machine: machine(), seconds: SECONDS, rounds: ROUNDS, results }, null, 2))
    return
  }
  console.log(`${machine()}; ${ROUNDS} rounds of ${SECONDS} s, medians\n`)
  console.log('| workload | connections | etcd req/s | p50 / p99 ms | edgetcd req/s | p50 / p99 ms | ratio |')
  console.log('|---|---:|---:|---:|---:|---:|---:|')
  const latency = (f: Figure) => `${f.p50Ms.toFixed(1)} / ${f.p99Ms.toFixed(1)}`
  for (const { workload, connections, etcd, edgetcd } of results) {
    const ratio = (edgetcd.requestsPerSecond / etcd.requestsPerSecond).toFixed(2)
    console.log(
      `| ${workload} | ${connections} | ${etcd.requestsPerSecond.toFixed(0)} | ${latency(etcd)} | ${edgetcd.requestsPerSecond.toFixed(0)} | ${latency(edgetcd)} | ${ratio} |`,
    )
  }
}

const machine = (): string => `${cpus().length} cores (${cpus()[0]?.model.trim()}), Node ${process.version}`

await main()
