import type { MessageInitShape } from '@bufbuild/protobuf'
import { EtcdError } from '../../etcd/errors.ts'
import type { Cluster, MemberSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Store } from '../../store/store.ts'
import type { Identity } from '../../store/types.ts'
import type { Access } from '../auth/access.ts'
import type { Implementation } from '../services.ts'
import { arePeerUrls } from './peer-urls.ts'

export interface ClusterOptions {
  readonly store: Pick<Store, 'identity'>
  readonly access: Pick<Access, 'as'>
  /** The one member's name. */
  readonly name: string
  /** Where clients reach the servers, all of them where there are several. */
  readonly clientUrls: () => readonly string[]
}

/**
 * The Cluster service. However many servers there are, they are one member: they hold nothing that could differ, and
 * one of them is as good as any other. There are no peers, so clients find the client URLs where etcd has the peers'.
 *
 * The membership can't be changed. Whoever tries is told what etcd's only member says where that refuses too, and
 * where it would not, what it says while it can't.
 */
export function createCluster({
  store,
  access,
  name,
  clientUrls,
}: ClusterOptions): Implementation<typeof Cluster> {
  const isOurs = (url: string) => clientUrls().includes(url.trim())

  /** etcd's answers here tell no revision. */
  function members({ clusterId, memberId, raftTerm }: Identity) {
    const urls = [...clientUrls()]
    const member: MessageInitShape<typeof MemberSchema> = {
      ID: memberId,
      name,
      peerURLs: urls,
      clientURLs: urls,
    }
    return { header: { clusterId, memberId, raftTerm }, members: [member] }
  }

  async function knownMember(id: bigint): Promise<Identity> {
    const identity = await store.identity()
    if (id !== identity.memberId) throw EtcdError.of('MemberNotFound')
    return identity
  }

  return {
    memberList: (_request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeKnown()
        await caller.confirm()
        return members(await store.identity())
      }),

    async memberAdd({ peerURLs }, call) {
      if (!arePeerUrls(peerURLs)) throw EtcdError.of('MemberBadUrls')
      return await access.as(call, async (caller) => {
        caller.mustBeRoot()
        await caller.confirm()
        throw EtcdError.of(peerURLs.some(isOurs) ? 'PeerUrlExist' : 'MemberNotEnoughStarted')
      })
    },

    memberRemove: ({ ID }, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        await caller.confirm()
        await knownMember(ID)
        throw EtcdError.of('MemberNotEnoughStarted')
      }),

    /** Accepted when it changes nothing. */
    memberUpdate: ({ ID, peerURLs }, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        await caller.confirm()
        const identity = await knownMember(ID)
        const changesNothing = peerURLs.length > 0 && peerURLs.every(isOurs)
        if (!changesNothing) throw EtcdError.of('MemberNotEnoughStarted')
        return members(identity)
      }),

    memberPromote: ({ ID }, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        await caller.confirm()
        await knownMember(ID)
        throw EtcdError.of('MemberNotLearner')
      }),
  }
}
