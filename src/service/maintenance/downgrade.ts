import type { MessageInitShape } from '@bufbuild/protobuf'
import { EtcdError } from '../../etcd/errors.ts'
import {
  DowngradeRequest_DowngradeAction as DowngradeAction,
  type DowngradeRequest,
  type DowngradeResponseSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Store } from '../../store/store.ts'
import { ETCD_CLUSTER_VERSION } from '../../version.ts'
import { headerOf } from '../header.ts'

/** What etcd reads as a version: its semantic version in full, or just major and minor. */
const VERSION = /^\d+\.\d+(?:\.\d+(?:-[0-9A-Za-z.-]*)?(?:\+[0-9A-Za-z.-]*)?)?$/

/**
 * There is no version that the store can be brought down to, so each is refused in etcd's words. Cancelling succeeds
 * although nothing is under way, as it does in etcd.
 * @throws EtcdError WrongDowngradeVersionFormat, InvalidDowngradeTargetVersion, UnknownMethod
 */
export async function answerDowngrade(
  store: Store,
  { action, version }: DowngradeRequest,
): Promise<MessageInitShape<typeof DowngradeResponseSchema>> {
  switch (action) {
    case DowngradeAction.VALIDATE:
    case DowngradeAction.ENABLE:
      throw EtcdError.of(
        VERSION.test(version) ? 'InvalidDowngradeTargetVersion' : 'WrongDowngradeVersionFormat',
      )
    case DowngradeAction.CANCEL: {
      const header = headerOf(await store.identity())
      const { revision } = await store.head()
      return { header: header(revision), version: ETCD_CLUSTER_VERSION.replace(/\.0$/, '') }
    }
    default:
      // A number that this version doesn't know: the type is an open enum.
      action satisfies never
      throw EtcdError.of('UnknownMethod')
  }
}
