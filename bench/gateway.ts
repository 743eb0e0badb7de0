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
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { b64, besideEtcd, type Figure, KEYS, keyOf, type Measurement, put } from './beside-etcd.ts'

const SECONDS = Number(process.env.EDGETCD_BENCH_SECONDS ?? 5)

/** Bodies of 1,000 requests, spread over all keys, for one workload. */
const bodies = (of: (key: number) => object): string[] =>
  Array.from({ length: 1000 }, (_, i) => JSON.stringify(of((i * 7919) % KEYS)))

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

async function main(): Promise<void> {
  if (spawnSync('wrk').error) throw new Error('wrk is not installed (Debian: apt-get install wrk)')
  const dir = mkdtempSync(join(tmpdir(), 'edgetcd-wrk-'))
  const measurements = WORKLOADS.flatMap(({ name, path, connections, bodies: requests }): Measurement[] => {
    const lua = script(dir, name, requests)
    return connections.map((clients) => ({
      workload: name,
      clients,
      run: (url) => run(url, path, clients, lua),
    }))
  })
  await besideEtcd(measurements, `${SECONDS} s`)
  rmSync(dir, { recursive: true, force: true })
}

await main()
