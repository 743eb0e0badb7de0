import { b64, type JsonObject } from '../support/gateway.ts'

export const KEY = b64('k')
const LEASE = '7'
const LOCK_LEASE = '5'
const put = { key: KEY, value: b64('v') }
const compare = [{ key: KEY, target: 'VERSION', result: 'GREATER', version: '0' }]

/** One of each RPC that is one statement (invariant 3), in this order: a later one may need an earlier one's work. */
export const ONE_STATEMENT: readonly (readonly [name: string, path: string, body: JsonObject])[] = [
  ['put', '/v3/kv/put', put],
  ['put with the previous value', '/v3/kv/put', { ...put, prev_kv: true }],
  ['put that keeps the value', '/v3/kv/put', { key: KEY, ignore_value: true }],
  ['range of a key', '/v3/kv/range', { key: KEY }],
  ['range of an interval', '/v3/kv/range', { key: KEY, range_end: b64('z') }],
  ['range to the end', '/v3/kv/range', { key: KEY, range_end: b64('\0') }],
  ['range with a limit', '/v3/kv/range', { key: KEY, range_end: b64('z'), limit: '1' }],
  ['range that only counts', '/v3/kv/range', { key: KEY, range_end: b64('z'), count_only: true }],
  ['range without values', '/v3/kv/range', { key: KEY, range_end: b64('z'), keys_only: true }],
  [
    'range sorted',
    '/v3/kv/range',
    { key: KEY, range_end: b64('z'), sort_target: 'MOD', sort_order: 'DESCEND' },
  ],
  ['range with filters', '/v3/kv/range', { key: KEY, range_end: b64('z'), min_mod_revision: '2' }],
  ['range in the past', '/v3/kv/range', { key: KEY, range_end: b64('z'), revision: '3' }],
  ['range of the future', '/v3/kv/range', { key: KEY, revision: '3000' }],
  [
    'txn that writes',
    '/v3/kv/txn',
    { compare, success: [{ request_put: put }, { request_range: { key: KEY } }] },
  ],
  ['txn that only reads', '/v3/kv/txn', { compare, success: [{ request_range: { key: KEY } }] }],
  [
    'txn with all its branches',
    '/v3/kv/txn',
    {
      compare,
      success: [
        {
          request_txn: {
            compare,
            success: [{ request_put: put }],
            failure: [{ request_delete_range: { key: KEY } }],
          },
        },
        { request_range: { key: KEY, range_end: b64('\0') } },
      ],
      failure: [{ request_delete_range: { key: KEY } }],
    },
  ],
  ['delete', '/v3/kv/deleterange', { key: b64('k2'), prev_kv: true }],
  ['lease grant', '/v3/lease/grant', { ID: LEASE, TTL: '600' }],
  ['lease grant without an id', '/v3/lease/grant', { TTL: '600' }],
  ['put on a lease', '/v3/kv/put', { ...put, lease: LEASE }],
  ['lease grant for a lock', '/v3/lease/grant', { ID: LOCK_LEASE, TTL: '600' }],
  ['lease time to live', '/v3/lease/timetolive', { ID: LEASE }],
  ['lease time to live with keys', '/v3/lease/timetolive', { ID: LEASE, keys: true }],
  ['lease keep-alive', '/v3/lease/keepalive', { ID: LEASE }],
  ['leases', '/v3/lease/leases', {}],
  ['lease revoke', '/v3/lease/revoke', { ID: LEASE }],
  ['compaction', '/v3/kv/compaction', { revision: '4' }],
  ['lock', '/v3/lock/lock', { name: b64('lock'), lease: LOCK_LEASE }],
  ['lock by the lease that holds it', '/v3/lock/lock', { name: b64('lock'), lease: LOCK_LEASE }],
  ['unlock', '/v3/lock/unlock', { key: b64(`lock/${LOCK_LEASE}`) }],
  ['campaign', '/v3/election/campaign', { name: b64('e'), lease: LOCK_LEASE }],
  ['leader', '/v3/election/leader', { name: b64('e') }],
  ['proclaim', '/v3/election/proclaim', { leader: { key: b64('e/9'), rev: '1', lease: LOCK_LEASE } }],
  ['resign', '/v3/election/resign', { leader: { key: b64(`e/${LOCK_LEASE}`), rev: '1' } }],
  ['member list', '/v3/cluster/member/list', {}],
  ['member list, linearizable', '/v3/cluster/member/list', { linearizable: true }],
  ['member add', '/v3/cluster/member/add', { peerURLs: ['http://127.0.0.1:1'] }],
  ['member remove', '/v3/cluster/member/remove', { ID: '1' }],
  ['transfer of the leadership', '/v3/maintenance/transfer-leadership', { targetID: '1' }],
  ['status', '/v3/maintenance/status', {}],
  ['downgrade cancel', '/v3/maintenance/downgrade', { action: 'CANCEL' }],
  ['alarms', '/v3/maintenance/alarm', {}],
  ['alarm raised', '/v3/maintenance/alarm', { action: 'ACTIVATE', alarm: 'NOSPACE' }],
  ['put without space', '/v3/kv/put', put],
  ['lease grant without space', '/v3/lease/grant', { TTL: '600' }],
  ['alarm cleared', '/v3/maintenance/alarm', { action: 'DEACTIVATE', alarm: 'NOSPACE' }],
  ['auth status', '/v3/auth/status', {}],
  ['auth disable', '/v3/auth/disable', {}],
  ['authenticate', '/v3/auth/authenticate', { name: 'u', password: 'pw' }],
  ['user add', '/v3/auth/user/add', { name: 'u', password: 'pw' }],
  ['user add of one that exists', '/v3/auth/user/add', { name: 'u', password: 'pw' }],
  ['user change password', '/v3/auth/user/changepw', { name: 'u', password: 'other' }],
  ['role add', '/v3/auth/role/add', { name: 'r' }],
  ['role grant permission', '/v3/auth/role/grant', { name: 'r', perm: { key: KEY } }],
  ['role get', '/v3/auth/role/get', { role: 'r' }],
  ['role list', '/v3/auth/role/list', {}],
  ['user grant role', '/v3/auth/user/grant', { user: 'u', role: 'r' }],
  ['user get', '/v3/auth/user/get', { name: 'u' }],
  ['user list', '/v3/auth/user/list', {}],
  ['user revoke role', '/v3/auth/user/revoke', { name: 'u', role: 'r' }],
  ['role revoke permission', '/v3/auth/role/revoke', { role: 'r', key: KEY }],
  ['role delete', '/v3/auth/role/delete', { role: 'r' }],
  ['user delete', '/v3/auth/user/delete', { name: 'u' }],
]

/** What is known without the store, and what is refused before it is asked: bad input never touches it. */
export const NO_STATEMENT: readonly (readonly [name: string, path: string, body: JsonObject])[] = [
  ['put without a key', '/v3/kv/put', {}],
  ['range with a bad sort order', '/v3/kv/range', { key: KEY, sort_order: 9 }],
  ['txn that writes a key twice', '/v3/kv/txn', { success: [{ request_put: put }, { request_put: put }] }],
  ['lease grant for too long', '/v3/lease/grant', { TTL: '9000000001' }],
  ['downgrade', '/v3/maintenance/downgrade', { action: 'ENABLE', version: '3.5' }],
  ['resign without a leader', '/v3/election/resign', {}],
  ['user add without a name', '/v3/auth/user/add', { password: 'pw' }],
  ['role grant of an empty permission', '/v3/auth/role/grant', { name: 'r', perm: {} }],
  ['a wrong type', '/v3/kv/put', { key: 1 }],
]
