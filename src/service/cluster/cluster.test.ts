import { create } from '@bufbuild/protobuf'
import { describe, expect, test } from 'vitest'
import { EtcdError } from '../../etcd/errors.ts'
import {
  MemberAddRequestSchema,
  MemberListRequestSchema,
  MemberPromoteRequestSchema,
  MemberRemoveRequestSchema,
  MemberUpdateRequestSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Caller } from '../auth/caller.ts'
import { createCluster } from './index.ts'
import { arePeerUrls } from './peer-urls.ts'

const identity = { clusterId: 7n, memberId: 8n, raftTerm: 2n }
const call = { signal: new AbortController().signal }
const OURS = ['http://a:2379', 'http://b:2379']

function setUp() {
  let confirmations = 0
  const cluster = createCluster({
    store: { identity: async () => identity },
    access: {
      as: (_call, work) =>
        work({
          mustBeKnown() {},
          mustBeRoot() {},
          async confirm() {
            confirmations++
          },
          // The service asks for nothing else of a caller.
        } as unknown as Caller),
    },
    name: 'default',
    clientUrls: () => OURS,
  })
  return { cluster, confirmations: () => confirmations }
}

const refused = (name: Parameters<typeof EtcdError.of>[0]) => {
  const { code, message } = EtcdError.of(name)
  return { code, message }
}

describe('the cluster', () => {
  test('is one member at all the URLs; its header has no revision', async () => {
    const { cluster, confirmations } = setUp()
    const members = [{ ID: 8n, name: 'default', peerURLs: OURS, clientURLs: OURS }]
    expect(await cluster.memberList(create(MemberListRequestSchema), call)).toEqual({
      header: identity,
      members,
    })
    expect(confirmations()).toBe(1)
  })

  test('an unknown member is not found, before anything else is looked at', async () => {
    const { cluster } = setUp()
    const unknown = { ID: 9n }
    for (const answer of [
      cluster.memberRemove(create(MemberRemoveRequestSchema, unknown), call),
      cluster.memberPromote(create(MemberPromoteRequestSchema, unknown), call),
      cluster.memberUpdate(create(MemberUpdateRequestSchema, { ...unknown, peerURLs: ['%%'] }), call),
    ]) {
      await expect(answer).rejects.toMatchObject(refused('MemberNotFound'))
    }
  })

  test('does not change', async () => {
    const { cluster } = setUp()
    const add = (peerURLs: string[]) => cluster.memberAdd(create(MemberAddRequestSchema, { peerURLs }), call)
    const update = (peerURLs: string[]) =>
      cluster.memberUpdate(create(MemberUpdateRequestSchema, { ID: 8n, peerURLs }), call)
    await expect(add(['nonsense'])).rejects.toMatchObject(refused('MemberBadUrls'))
    await expect(add(['http://c:2380', ' http://a:2379'])).rejects.toMatchObject(refused('PeerUrlExist'))
    await expect(add(['http://c:2380'])).rejects.toMatchObject(refused('MemberNotEnoughStarted'))
    await expect(update(['http://c:2380'])).rejects.toMatchObject(refused('MemberNotEnoughStarted'))
    await expect(update([])).rejects.toMatchObject(refused('MemberNotEnoughStarted'))
    expect(await update(['http://b:2379'])).toMatchObject({ members: [{ peerURLs: OURS }] })
    const me = { ID: 8n }
    await expect(cluster.memberPromote(create(MemberPromoteRequestSchema, me), call)).rejects.toMatchObject(
      refused('MemberNotLearner'),
    )
    await expect(cluster.memberRemove(create(MemberRemoveRequestSchema, me), call)).rejects.toMatchObject(
      refused('MemberNotEnoughStarted'),
    )
  })
})

/** As etcd 3.6.16 answered to each. */
describe('peer URLs', () => {
  test.each([
    'http://h:',
    'http://:1',
    'HTTP://h:99999',
    'https://h:1',
    '  http://h:1 ',
    'http://[::1]:5',
    'http://u:p@h:1',
    'http://u@v@h:1',
    'http://h:1?q',
    'http://h:1#f',
    'http://a_b:1',
    'http://<a>:1',
    'http://ä:1',
    "http://a'b:1",
    'unix://a',
    'unix:x',
  ])('%s is one', (url) => expect(arePeerUrls([url])).toBe(true))

  test.each([
    '',
    'h:1',
    '//h:1',
    'http:',
    'http://h',
    'http://h:x',
    'http://h:1/',
    'http://h:1/p',
    'http://h:1:2',
    'http://[::1',
    'http://[::1]:x',
    'http://a b:1',
    'http://h%zz:1',
    'http://h%41:1',
    'http://h:1#%zz',
    'http://a\\b:1',
    'http://a:1\u0007',
    'ftp://h:1',
    'httpx://h:1',
  ])('%j is none', (url) => expect(arePeerUrls([url, 'http://h:1'])).toBe(false))

  test('there must be one', () => expect(arePeerUrls([])).toBe(false))
})
