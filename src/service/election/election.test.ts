import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { describe, expect, test } from 'vitest'
import { bytesToString } from '../../byte-string.ts'
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import {
  CampaignRequestSchema,
  CampaignResponseSchema,
  type LeaderKeySchema,
  LeaderRequestSchema,
  type LeaderResponse,
  LeaderResponseSchema,
  ProclaimRequestSchema,
  ResignRequestSchema,
} from '../../etcd/generated/v3electionpb/election_pb.ts'
import { NEVER } from '../../never.ts'
import { MemoryServices } from '../coordination/testing/memory-services.ts'
import { settled } from '../watch/testing/environment.ts'
import { bytes } from '../watch/testing/memory-log.ts'
import { createElection } from './index.ts'

const call = { signal: NEVER }
const name = bytes('e')

function setUp() {
  const services = new MemoryServices()
  const election = createElection(services)
  return {
    services,
    election,
    async campaign(lease: bigint, value: string, signal = NEVER) {
      const request = create(CampaignRequestSchema, { name, lease, value: bytes(value) })
      const { header, leader } = create(CampaignResponseSchema, await election.campaign(request, { signal }))
      return { revision: header?.revision, key: bytesToString(leader?.key ?? bytes('')), rev: leader?.rev }
    },
    proclaim: (leader: MessageInitShape<typeof LeaderKeySchema>, value: string) =>
      election.proclaim(create(ProclaimRequestSchema, { leader, value: bytes(value) }), call),
    resign: (leader: MessageInitShape<typeof LeaderKeySchema>) =>
      election.resign(create(ResignRequestSchema, { leader }), call),
    leader: async () => toldBy(await election.leader(create(LeaderRequestSchema, { name }), call)),
    observe(signal = NEVER) {
      const told: string[] = []
      const ended = (async () => {
        for await (const answer of election.observe(one(create(LeaderRequestSchema, { name })), { signal })) {
          told.push(toldBy(answer))
        }
      })()
      return { told, ended }
    },
  }
}

async function* one<T>(request: T): AsyncGenerator<T> {
  yield request
}

/** `key=value@header revision`. */
function toldBy(answer: MessageInitShape<typeof LeaderResponseSchema>): string {
  const { header, kv }: LeaderResponse = create(LeaderResponseSchema, answer)
  if (kv === undefined) throw new Error('no leader in the answer')
  return `${bytesToString(kv.key)}=${bytesToString(kv.value)}@${header?.revision}`
}

const codeless = (message: string) => ({ code: GrpcCode.Unknown, message })

describe('the election', () => {
  test('who was first leads; a header is of the moment when the candidate entered', async () => {
    const { services, campaign, leader } = setUp()
    expect(await campaign(1n, 'a')).toEqual({ revision: 2n, key: 'e/1', rev: 2n })
    const second = campaign(2n, 'b')
    await settled()
    expect(await leader()).toBe('e/1=a@3')
    services.store.delete('e/1')
    expect(await second).toEqual({ revision: 3n, key: 'e/2', rev: 3n })
    expect(await leader()).toBe('e/2=b@4')
  })

  test('campaigning again gives the place a new value, and the header of before', async () => {
    const { campaign, leader } = setUp()
    await campaign(1n, 'a')
    expect(await campaign(1n, 'a')).toEqual({ revision: 2n, key: 'e/1', rev: 2n })
    expect(await campaign(1n, 'b')).toEqual({ revision: 2n, key: 'e/1', rev: 2n })
    expect(await leader()).toBe('e/1=b@3')
  })

  test('as in etcd, a candidate whose lease ended while it waited is told that it leads', async () => {
    const { services, campaign } = setUp()
    await campaign(1n, 'a')
    const second = campaign(2n, 'b')
    await settled()
    services.store.delete('e/2')
    services.store.delete('e/1')
    expect(await second).toMatchObject({ key: 'e/2', rev: 3n })
    expect(services.keys).toEqual([])
  })

  test('a candidate that goes away while it waits leaves nothing behind', async () => {
    const { services, campaign } = setUp()
    await campaign(1n, 'a')
    const leaving = new AbortController()
    const second = campaign(2n, 'b', leaving.signal)
    await settled()
    expect(services.keys).toEqual(['e/1', 'e/2'])
    leaving.abort()
    await expect(second).rejects.toMatchObject({ code: GrpcCode.Canceled })
    expect(services.keys).toEqual(['e/1'])
    expect(services.store.revision).toBe(4n)
  })

  test('only the leadership that is named is proclaimed for, or given up', async () => {
    const { services, campaign, proclaim, resign, leader } = setUp()
    await campaign(1n, 'a')
    const key = bytes('e/1')
    await proclaim({ key, rev: 2n, lease: 1n }, 'b')
    expect(await leader()).toBe('e/1=b@3')
    await expect(proclaim({ key, rev: 3n, lease: 1n }, 'c')).rejects.toMatchObject(
      codeless('election: not leader'),
    )
    await resign({ key, rev: 3n, lease: 1n })
    expect(services.keys).toEqual(['e/1'])
    await resign({ key, rev: 2n, lease: 1n })
    await expect(leader()).rejects.toMatchObject(codeless('election: no leader'))
    expect(services.granted).toEqual([])
  })

  test('proclaiming without a lease is granted one of a minute', async () => {
    const { services, campaign, proclaim } = setUp()
    await campaign(1n, 'a')
    await proclaim({ key: bytes('e/1'), rev: 2n }, 'b')
    expect(services.granted).toEqual([60n])
  })

  test('a leader must be named', async () => {
    const { election } = setUp()
    const missing = codeless('"leader" field must be provided')
    await expect(election.proclaim(create(ProclaimRequestSchema), call)).rejects.toMatchObject(missing)
    await expect(election.resign(create(ResignRequestSchema), call)).rejects.toMatchObject(missing)
  })
})

describe('observing an election', () => {
  test('tells the leader, each of its values, and each leader after it', async () => {
    const { services, campaign, observe } = setUp()
    await campaign(1n, 'a')
    void campaign(2n, 'b')
    await settled()
    const { told } = observe()
    await settled()
    services.store.put('e/1', 'c')
    services.store.put('e/2', 'not a leader')
    services.store.put('e/1', 'd')
    services.store.delete('e/1')
    await settled()
    expect(told).toEqual(['e/1=a@3', 'e/1=c@4', 'e/1=d@6', 'e/2=not a leader@7'])
  })

  test('waits for a first leader, and for the next when nobody is left; tells nothing when one goes', async () => {
    const { services, campaign, observe } = setUp()
    const { told } = observe()
    await settled()
    expect(told).toEqual([])
    await campaign(1n, 'a')
    await settled()
    services.store.delete('e/1')
    await settled()
    expect(told).toEqual(['e/1=a@2'])
    services.store.write([
      { put: 'e/9', value: bytes('x') },
      { put: 'e/8', value: bytes('y') },
    ])
    await settled()
    expect(told).toEqual(['e/1=a@2', 'e/9=x@4'])
    expect(services.service.metrics.watchers).toBe(1)
  })

  test('ends with its call, and with the watch', async () => {
    const { services, campaign, observe } = setUp()
    const leaving = new AbortController()
    const first = observe(leaving.signal)
    await campaign(1n, 'a')
    const second = observe()
    await settled()
    leaving.abort()
    await first.ended
    services.service.close()
    await second.ended
    expect(services.service.metrics).toMatchObject({ streams: 0, watchers: 0 })
  })

  test('says why it cannot go on, without a code', async () => {
    const { services, observe } = setUp()
    services.failure = EtcdError.of('NoLeader')
    await expect(observe().ended).rejects.toMatchObject(codeless('etcdserver: no leader'))
  })
})
