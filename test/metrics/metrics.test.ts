import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import { etcdBinary, startEtcd } from '../support/etcd.ts'
import { b64 } from '../support/gateway.ts'
import { freePort } from '../support/ports.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'

/** The families of a page of metrics by name, with their type and what is said of them, and the samples. */
function parse(page: string) {
  const families = new Map<string, { help: string; type: string }>()
  const samples = new Map<string, number>()
  for (const line of page.trimEnd().split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line) ?? []
    if (keyword === 'HELP') families.set(name, { help: rest, type: '' })
    else if (keyword === 'TYPE') families.set(name, { help: families.get(name)?.help ?? '', type: rest })
    else {
      const [, sample = '', value = ''] = /^(\S+?(?:\{.*\})?) (\S+)$/.exec(line) ?? []
      samples.set(sample, Number(value))
    }
  }
  return { families, samples }
}

const metricsOf = async (url: string) => parse(await (await fetch(`${url}/metrics`)).text())

describe('GET /metrics', () => {
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(18)
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  it('counts what etcd counts, by its names', async () => {
    const args = ['--metrics', 'extensive', '--quota-backend-bytes', '12345678']
    await using server = await startEdgetcd({
      databaseUrl: postgres.url,
      schema: postgres.freshSchema(),
      args,
    })
    const { gateway, url } = server
    const stream = gateway.stream('/v3/watch', { create_request: { key: b64('k') } })
    await stream.next()
    const put = { request_put: { key: b64('k') } }
    const range = { request_range: { key: b64('k') } }
    const del = { request_delete_range: { key: b64('k') } }
    await gateway.put('k', 'v')
    await gateway.ok('/v3/kv/txn', { success: [put, range, { request_txn: { success: [range] } }] })
    await gateway.ok('/v3/kv/txn', { success: [del] })
    await gateway.ok('/v3/lease/grant', { ID: '7', TTL: '60' })
    await gateway.ok('/v3/lease/keepalive', { ID: '7' })
    await gateway.ok('/v3/lease/revoke', { ID: '7' })
    for (let events = 0; events < 3; ) {
      const { result } = (await stream.next()) as { result: { events?: object[] } }
      events += result.events?.length ?? 0
    }
    await gateway.ok('/v3/kv/compaction', { revision: '4', physical: true })
    const waiting = fetch(`${url}/v3/watch?key=${b64('k')}&start_revision=5&wait=30`)
    const { samples, families } = await untilWatching(url, 2)
    expect(Object.fromEntries(samples)).toMatchObject({
      etcd_mvcc_put_total: 2,
      etcd_mvcc_range_total: 2,
      etcd_mvcc_delete_total: 1,
      etcd_mvcc_txn_total: 1,
      etcd_debugging_lease_granted_total: 1,
      etcd_debugging_lease_renewed_total: 1,
      etcd_debugging_lease_revoked_total: 1,
      etcd_debugging_mvcc_current_revision: 4,
      etcd_debugging_mvcc_compact_revision: 4,
      etcd_debugging_mvcc_events_total: 3,
      etcd_debugging_mvcc_pending_events_total: 0,
      etcd_debugging_mvcc_watcher_total: 2,
      'edgetcd_waiting_watchers{kind="stream"}': 1,
      'edgetcd_waiting_watchers{kind="long_poll"}': 1,
      edgetcd_watch_lag_revisions: 0,
      edgetcd_revision_lag: 0,
      edgetcd_compaction_lag_revisions: 0,
      edgetcd_commit_seconds_count: 5,
      edgetcd_batch_requests_count: 5,
      etcd_server_has_leader: 1,
      etcd_server_is_leader: 1,
      etcd_server_leader_changes_seen_total: 1,
      etcd_server_quota_backend_bytes: 12_345_678,
      etcd_server_proposals_pending: 0,
      'etcd_server_version{server_version="3.6.16"}': 1,
      'etcd_cluster_version{cluster_version="3.6"}': 1,
      'grpc_server_handled_total{grpc_code="OK",grpc_method="Txn",grpc_service="etcdserverpb.KV",grpc_type="unary"}': 2,
      'grpc_server_started_total{grpc_method="Watch",grpc_service="etcdserverpb.Watch",grpc_type="bidi_stream"}': 1,
      'grpc_server_handling_seconds_count{grpc_method="Put",grpc_service="etcdserverpb.KV",grpc_type="unary"}': 1,
    })
    expect(samples.get('etcd_mvcc_db_total_size_in_bytes')).toBeGreaterThan(100_000)
    for (const name of ['process_cpu_seconds_total', 'process_resident_memory_bytes', 'process_open_fds']) {
      expect(samples.get(name), name).toBeGreaterThan(0)
    }
    expect(families.size).toBe(pageOf().length)
    expect([...families.keys()].toSorted(), 'docs/metrics.md tells of each').toEqual(pageOf())
    server.child.signal('SIGTERM')
    await waiting.catch(() => {})
  })

  it('asks the database no more than once in five seconds, and answers without it', async () => {
    const schema = postgres.freshSchema()
    const port = await freePort()
    const args = ['--listen-metrics-urls', `http://127.0.0.1:${port}`]
    await using server = await startEdgetcd({ databaseUrl: postgres.url, schema, args })
    const alone = `http://127.0.0.1:${port}`
    await server.gateway.put('k', 'v')
    expect((await metricsOf(alone)).samples.get('etcd_debugging_mvcc_current_revision')).toBe(2)
    await server.gateway.put('k', 'v')
    const { samples } = await metricsOf(server.url)
    expect(samples.get('etcd_debugging_mvcc_current_revision'), 'not asked again').toBe(2)
    for (const [path, status] of [
      ['/health', 200],
      ['/livez', 200],
      ['/readyz', 200],
      ['/version', 404],
      ['/v3/kv/range', 404],
      ['/keys/k', 404],
    ] as const) {
      const answer = await fetch(`${alone}${path}`)
      expect(answer.status, path).toBe(status)
      if (status === 404) expect(await answer.text()).toBe('404 page not found\n')
    }
    await postgres.stop('fast')
    await expect
      .poll(async () => (await metricsOf(alone)).samples.get('etcd_server_has_leader'), {
        timeout: 30_000,
        interval: 200,
      })
      .toBe(0)
    const away = await metricsOf(alone)
    expect(away.samples.get('etcd_debugging_mvcc_current_revision'), 'what was known last').toBeGreaterThan(1)
    await postgres.start()
  })

  it('says of what it shares with etcd what etcd says', async (context) => {
    const binary = await etcdBinary()
    if ('missing' in binary) return context.skip(binary.missing)
    await using etcd = await startEtcd(binary.path)
    await etcd.gateway.put('k', 'v')
    const theirs = await metricsOf(etcd.gateway.url)
    const args = ['--metrics', 'extensive']
    await using server = await startEdgetcd({
      databaseUrl: postgres.url,
      schema: postgres.freshSchema(),
      args,
    })
    await server.gateway.put('k', 'v')
    const ours = await metricsOf(server.url)
    const shared = [...ours.families].filter(([name]) => !name.startsWith('edgetcd_'))
    const basic = shared.filter(([name]) => name !== 'grpc_server_handling_seconds')
    expect(basic.length).toBeGreaterThan(25)
    for (const [name, family] of basic)
      expect({ name, ...family }).toEqual({ name, ...theirs.families.get(name) })
  })

  /** The page once so many watchers wait. */
  async function untilWatching(url: string, watchers: number) {
    for (;;) {
      const page = await metricsOf(url)
      if (page.samples.get('etcd_debugging_mvcc_watcher_total') === watchers) return page
    }
  }
})

/** The names in the first table of docs/metrics.md, sorted. */
function pageOf(): string[] {
  const page = readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')
  const [table = ''] = page.split('\n## ')
  return [...table.matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name ?? '').toSorted()
}
