import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { etcdBinary } from '../support/etcd.ts'
import { b64, type Headers, type JsonObject } from '../support/gateway.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { freshRightsServers } from './judge.ts'
import { headerForms } from './rights-callers.ts'
import { RightsConversation, type RightsOperation, type RightsServers } from './rights-run.ts'

const etcd = await etcdBinary()
if ('missing' in etcd) console.log(`skipped: ${etcd.missing}`)
const path = 'path' in etcd ? etcd.path : ''

const KEY = b64('k')
const ROOT = { authorization: '{root/0}' }
const ANN = { authorization: '{ann/0}' }

function send(path: string, body: JsonObject, headers: Headers = {}): RightsOperation {
  return { path, body, headers, server: 0 }
}

function letIn(name: string): RightsOperation {
  return { ...send('/v3/auth/authenticate', { name, password: 'pw' }), keep: `${name}/0` }
}

/** Root and `ann`, who may read a key. */
const USERS: readonly RightsOperation[] = [
  send('/v3/auth/role/add', { name: 'reader' }),
  send('/v3/auth/role/grant', { name: 'reader', perm: { permType: 'READ', key: KEY } }),
  ...['root', 'ann'].map((name) => send('/v3/auth/user/add', { name, password: 'pw' })),
  send('/v3/auth/user/grant', { user: 'ann', role: 'reader' }),
  send('/v3/auth/user/grant', { user: 'root', role: 'root' }),
  send('/v3/auth/enable', {}),
  letIn('root'),
  letIn('ann'),
]

const ALL_FORMS = headerForms('{ann/0}', '{root/0}').flatMap((headers) => [
  send('/v3/kv/range', { key: KEY }, headers),
  send('/v3/auth/user/list', {}, headers),
  send('/v3/lease/keepalive', { ID: '7' }, headers),
  send('/v3/watch', { create_request: { key: KEY } }, headers),
])

/**
 * Every call, by those who may not make it: whatever would change the cluster is refused before it happens. But for
 * election/observe, of which etcd only ends the stream: edgetcd says why.
 */
const REFUSED = (
  [
    ['/v3/kv/range', { key: b64('a') }],
    ['/v3/kv/put', { key: KEY }],
    ['/v3/kv/deleterange', { key: KEY }],
    ['/v3/kv/txn', { success: [{ request_put: { key: KEY } }] }],
    ['/v3/kv/compaction', { revision: '1' }],
    ['/v3/watch', { create_request: { key: b64('a') } }],
    ['/v3/watch', { create_request: { key: KEY, start_revision: '-1' } }],
    ['/v3/watch', { create_request: { key: KEY, range_end: KEY } }],
    ['/v3/lease/grant', { TTL: '100', ID: '7' }],
    ['/v3/lease/grant', { TTL: '99999999999', ID: '7' }],
    ['/v3/lease/revoke', { ID: '8' }],
    ['/v3/lease/timetolive', { ID: '8' }],
    ['/v3/lease/timetolive', { ID: '8', keys: true }],
    ['/v3/lease/keepalive', { ID: '8' }],
    ['/v3/lease/leases', {}],
    ['/v3/cluster/member/list', {}],
    ['/v3/cluster/member/list', { linearizable: true }],
    ['/v3/cluster/member/add', { peerURLs: ['http://127.0.0.1:1'] }],
    ['/v3/cluster/member/add', { peerURLs: [] }],
    ['/v3/cluster/member/add', { peerURLs: ['nonsense'] }],
    ['/v3/cluster/member/remove', { ID: '7' }],
    ['/v3/cluster/member/update', { ID: '7', peerURLs: ['nonsense'] }],
    ['/v3/cluster/member/promote', { ID: '7' }],
    ['/v3/maintenance/alarm', {}],
    ['/v3/maintenance/alarm', { action: 'ACTIVATE', alarm: 'NOSPACE' }],
    ['/v3/maintenance/alarm', { action: 'DEACTIVATE', alarm: 'NOSPACE' }],
    ['/v3/maintenance/alarm', { action: 9 }],
    ['/v3/maintenance/status', {}],
    ['/v3/maintenance/defragment', {}],
    ['/v3/maintenance/hash', {}],
    ['/v3/maintenance/hashkv', {}],
    ['/v3/maintenance/hashkv', { revision: '99' }],
    ['/v3/maintenance/snapshot', {}],
    ['/v3/maintenance/downgrade', { action: 'VALIDATE', version: 'x' }],
    ['/v3/maintenance/downgrade', { action: 'ENABLE', version: '3.5' }],
    ['/v3/maintenance/downgrade', { action: 'CANCEL' }],
    ['/v3/maintenance/transfer-leadership', { targetID: '7' }],
    ['/v3/lock/lock', { name: KEY, lease: '8' }],
    ['/v3/lock/unlock', { key: KEY }],
    ['/v3/election/campaign', { name: KEY, lease: '8' }],
    ['/v3/election/proclaim', {}],
    ['/v3/election/proclaim', { leader: { name: KEY, key: KEY, rev: '1', lease: '8' } }],
    ['/v3/election/leader', { name: KEY }],
    ['/v3/election/resign', {}],
    ['/v3/election/resign', { leader: { name: KEY, key: KEY, rev: '1', lease: '8' } }],
    ['/v3/auth/status', {}],
    ['/v3/auth/enable', {}],
    ['/v3/auth/disable', {}],
    ['/v3/auth/authenticate', { name: 'ann', password: 'wrong' }],
    ['/v3/auth/user/add', { name: 'x', password: 'pw' }],
    ['/v3/auth/user/add', { name: '', password: 'p'.repeat(80) }],
    ['/v3/auth/user/get', { name: 'ann' }],
    ['/v3/auth/user/get', { name: 'root' }],
    ['/v3/auth/user/get', { name: 'nil' }],
    ['/v3/auth/user/get', {}],
    ['/v3/auth/user/list', {}],
    ['/v3/auth/user/delete', { name: 'ann' }],
    ['/v3/auth/user/delete', { name: 'root' }],
    ['/v3/auth/user/changepw', { name: 'ann', password: 'pw' }],
    ['/v3/auth/user/grant', { user: 'ann', role: 'root' }],
    ['/v3/auth/user/revoke', { name: 'root', role: 'root' }],
    ['/v3/auth/role/add', { name: 'x' }],
    ['/v3/auth/role/get', { role: 'reader' }],
    ['/v3/auth/role/get', { role: 'root' }],
    ['/v3/auth/role/get', {}],
    ['/v3/auth/role/list', {}],
    ['/v3/auth/role/delete', { role: 'root' }],
    ['/v3/auth/role/grant', { name: 'reader', perm: { key: KEY } }],
    ['/v3/auth/role/grant', { name: 'reader' }],
    ['/v3/auth/role/revoke', { role: 'reader', key: KEY }],
  ] as [string, JsonObject][]
).flatMap(([path, body]) =>
  [{}, { authorization: 'nobody' }, { authorization: 'nobody.1' }, ANN].map((headers) =>
    send(path, body, headers),
  ),
)

const READ = [ROOT, ANN].map((headers) => send('/v3/kv/range', { key: KEY }, headers))
const SWITCHED_OFF = [
  ...READ,
  send('/v3/auth/disable', {}, ROOT),
  ...READ,
  send('/v3/auth/enable', {}),
  ...READ,
  letIn('root'),
  ...READ,
]

/** What the store need not be asked for, by somebody who knows nothing, the moment after it is switched on. */
const SWITCHED_ON = [
  send('/v3/cluster/member/list', {}),
  send('/v3/cluster/member/add', { peerURLs: ['http://127.0.0.1:1'] }),
  send('/v3/cluster/member/remove', { ID: '7' }),
  send('/v3/cluster/member/promote', { ID: '7' }),
  send('/v3/maintenance/transfer-leadership', { targetID: '7' }),
].flatMap((operation) => [
  send('/v3/auth/disable', {}, ROOT),
  send('/v3/kv/range', { key: KEY }),
  send('/v3/auth/enable', {}),
  operation,
  letIn('root'),
])

describe.skipIf('missing' in etcd)('authentication on: etcd and edgetcd answer alike', () => {
  let postgres: Postgres
  let servers: RightsServers & AsyncDisposable
  let conversation: RightsConversation
  beforeAll(async () => {
    postgres = await startPostgres(18)
    servers = await freshRightsServers(path, postgres, 1)
    conversation = new RightsConversation(servers)
  })
  afterAll(async () => {
    await servers[Symbol.asyncDispose]()
    await postgres[Symbol.asyncDispose]()
  })

  it.each([
    ['users and roles', USERS],
    ['every way to send a token', ALL_FORMS],
    ['every call by those who may not make it', REFUSED],
    ['tokens from before it was switched off', SWITCHED_OFF],
    ['the moment after it is switched on', SWITCHED_ON],
  ])('%s', async (_, operations) => {
    const differences: string[] = []
    for (const operation of operations) {
      const { difference } = await conversation.ask(operation)
      if (difference === undefined) continue
      const [want, got] = [difference.reference, difference.candidate].map((answer) => JSON.stringify(answer))
      differences.push(`${difference.what}\n  etcd:    ${want}\n  edgetcd: ${got}`)
    }
    expect(differences.join('\n')).toBe('')
  })
})
