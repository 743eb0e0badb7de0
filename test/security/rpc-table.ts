/** Every RPC by its path, with what it takes to be let in. */
import { b64, type JsonObject } from '../support/gateway.ts'
import { key } from './scene.ts'

/** Something that is asked of an RPC. */
export interface Ask {
  readonly body: JsonObject
  /**
   * - nothing: open to all, as it has to be
   * - user: any user's token
   * - own: what belongs to alice, or lies among her keys
   * - foreign: what belongs to bob, or lies among his keys
   * - root: a user's with the role `root`
   */
  readonly needs: 'nothing' | 'user' | 'own' | 'foreign' | 'root'
}

/** Leases that hold a key of these users. */
export const LEASES = { alice: '1001', bob: '1002' } as const

const asks = (needs: Ask['needs'], ...bodies: JsonObject[]): Ask[] => bodies.map((body) => ({ body, needs }))
const root = (...bodies: JsonObject[]) => asks('root', ...bodies)
const user = (body: JsonObject) => asks('user', body)

/** The same of alice's keys, and of bob's. */
const each = (of: (letter: string, lease: string) => JsonObject): Ask[] => [
  ...asks('foreign', of('b', LEASES.bob)),
  ...asks('own', of('a', LEASES.alice)),
]

const put = (letter: string) => ({ ...key(`${letter}/put`), value: b64('by the attacker') })
const compare = (letter: string) => ({ ...key(`${letter}/x`), target: 'VERSION', version: '1' })
const leader = (letter: string, lease: string) => ({
  name: b64(`${letter}/election`),
  key: b64(`${letter}/election/${Number(lease).toString(16)}`),
  rev: '2',
  lease,
})
const perm = { permType: 'READWRITE', ...key('b/x') }

const TXN = each((letter) => ({ compare: [compare(letter)], success: [{ request_put: put(letter) }] }))
const TXN_PARTS: JsonObject[] = [
  { compare: [compare('b')] },
  { success: [{ request_range: key('b/x') }] },
  { success: [{ request_put: put('a') }, { request_delete_range: key('b/x') }] },
  // The branch that isn't taken, and the one below it.
  { failure: [{ request_put: put('b') }] },
  { failure: [{ request_txn: { failure: [{ request_range: key('b/x') }] } }] },
  { success: [{ request_txn: { compare: [compare('b')] } }] },
]

const REVOKE = each((_, ID) => ({ ID }))
const TIME_TO_LIVE = each((_, ID) => ({ ID, keys: true }))
/** They are told whole, so somebody who may not read all keys of leases isn't told. */
const LEASES_ASKS = asks('foreign', {})

/**
 * Asked in this order, so what takes something away comes late. Each path of the gateway has to be here: an RPC whose
 * needs nobody has thought of fails the test.
 */
export const RPC_ASKS: Readonly<Record<string, readonly Ask[]>> = {
  '/v3/kv/range': each((letter) => key(`${letter}/x`)),
  '/v3/kv/put': each(put),
  '/v3/kv/txn': [...TXN, ...asks('foreign', ...TXN_PARTS)],
  '/v3/kv/deleterange': each((letter) => ({ ...key(`${letter}/put`), prev_kv: true })),
  '/v3/watch': each((letter) => ({ create_request: key(`${letter}/x`) })),
  '/v3/lease/grant': user({ TTL: '60' }),
  '/v3/lease/keepalive': each((_, ID) => ({ ID })),
  '/v3/lease/timetolive': TIME_TO_LIVE,
  '/v3/kv/lease/timetolive': TIME_TO_LIVE,
  '/v3/lease/leases': LEASES_ASKS,
  '/v3/kv/lease/leases': LEASES_ASKS,
  '/v3/cluster/member/list': user({}),
  '/v3/cluster/member/add': root({ peerURLs: ['http://127.0.0.1:1'] }),
  '/v3/cluster/member/remove': root({ ID: '1' }),
  '/v3/cluster/member/update': root({ ID: '1', peerURLs: ['http://127.0.0.1:1'] }),
  '/v3/cluster/member/promote': root({ ID: '1' }),
  '/v3/maintenance/alarm': [
    ...user({}),
    ...root({ action: 'ACTIVATE', alarm: 'NOSPACE' }, { action: 'DEACTIVATE', alarm: 'NOSPACE' }),
  ],
  '/v3/maintenance/status': user({}),
  '/v3/maintenance/defragment': root({}),
  '/v3/maintenance/hash': root({}),
  '/v3/maintenance/hashkv': root({}),
  '/v3/maintenance/snapshot': root({}),
  '/v3/maintenance/transfer-leadership': root({ targetID: '1' }),
  '/v3/maintenance/downgrade': root({ action: 'CANCEL' }),
  '/v3/lock/lock': each((letter, lease) => ({ name: b64(`${letter}/lock`), lease })),
  '/v3/lock/unlock': each((letter) => key(`${letter}/lock/none`)),
  '/v3/election/campaign': each((letter, lease) => ({ name: b64(`${letter}/election`), lease })),
  '/v3/election/proclaim': each((letter, lease) => ({ leader: leader(letter, lease) })),
  '/v3/election/leader': each((letter) => ({ name: b64(`${letter}/election`) })),
  '/v3/election/observe': each((letter) => ({ name: b64(`${letter}/election`) })),
  '/v3/election/resign': each((letter, lease) => ({ leader: leader(letter, lease) })),
  '/v3/auth/status': root({}),
  '/v3/auth/authenticate': asks('nothing', { name: 'alice', password: 'wrong' }),
  '/v3/auth/user/get': [...asks('foreign', { name: 'bob' }), ...asks('own', { name: 'alice' })],
  '/v3/auth/user/list': root({}),
  '/v3/auth/user/add': root({ name: 'mallory', password: 'pw' }),
  '/v3/auth/user/changepw': root({ name: 'mallory', password: 'pw2' }),
  '/v3/auth/user/grant': root({ user: 'mallory', role: 'root' }),
  '/v3/auth/user/revoke': root({ user: 'mallory', role: 'root' }),
  '/v3/auth/user/delete': root({ name: 'mallory' }),
  '/v3/auth/role/get': [...asks('foreign', { role: 'bob' }), ...asks('own', { role: 'alice' })],
  '/v3/auth/role/list': root({}),
  '/v3/auth/role/add': root({ name: 'burglar' }),
  '/v3/auth/role/grant': root({ name: 'burglar', perm }, { name: 'alice', perm }),
  '/v3/auth/role/revoke': root({ role: 'burglar', ...key('b/x') }, { role: 'alice', ...key('b/x') }),
  '/v3/auth/role/delete': root({ role: 'burglar' }),
  '/v3/lease/revoke': REVOKE,
  '/v3/kv/lease/revoke': REVOKE,
  '/v3/kv/compaction': root({ revision: '2' }),
  '/v3/auth/enable': root({}),
  '/v3/auth/disable': root({}),
}
