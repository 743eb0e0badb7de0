import { create } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { GrpcCode } from '../../etcd/errors.ts'
import {
  DowngradeRequest_DowngradeAction as DowngradeAction,
  DowngradeRequestSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Store } from '../../store/store.ts'
import { answerDowngrade } from './downgrade.ts'

const store = {
  identity: async () => ({ clusterId: 7n, memberId: 8n, raftTerm: 2n }),
  head: async () => ({ revision: 9n, compactRevision: -1n, authVersion: 1n }),
} as Store

const downgrade = (action: DowngradeAction, version = '') =>
  answerDowngrade(store, create(DowngradeRequestSchema, { action, version }))

const FORMAT = {
  code: GrpcCode.InvalidArgument,
  message: 'etcdserver: wrong downgrade target version format',
}
const TARGET = { code: GrpcCode.InvalidArgument, message: 'etcdserver: invalid downgrade target version' }

/** What is a version, as etcd 3.6.16 answered to each. */
test.each([
  ['', FORMAT],
  ['x', FORMAT],
  ['3', FORMAT],
  ['v3.5', FORMAT],
  [' 3.5', FORMAT],
  ['3.5.x', FORMAT],
  ['3.5.0.0', FORMAT],
  ['3.-5.0', FORMAT],
  ['3.4+b', FORMAT],
  ['3.4-rc', FORMAT],
  ['3.4', TARGET],
  ['3.6.0', TARGET],
  ['4.5', TARGET],
  ['03.7.0', TARGET],
  ['3.4.0-rc.1+x-y', TARGET],
])('a downgrade to "%s" is refused', async (version, refusal) => {
  await expect(downgrade(DowngradeAction.VALIDATE, version)).rejects.toMatchObject(refusal)
  await expect(downgrade(DowngradeAction.ENABLE, version)).rejects.toMatchObject(refusal)
})

test('nothing to cancel is no error', async () => {
  expect(await downgrade(DowngradeAction.CANCEL)).toMatchObject({ header: { revision: 9n }, version: '3.6' })
})

test('an unknown action is an unknown method', async () => {
  await expect(downgrade(7 as DowngradeAction)).rejects.toMatchObject({
    code: GrpcCode.Unknown,
    message: 'etcdserver: unknown method',
  })
})
