import type { MessageInitShape } from '@bufbuild/protobuf'
import { EtcdError } from '../../etcd/errors.ts'
import {
  AlarmRequest_AlarmAction as AlarmAction,
  type AlarmRequest,
  type AlarmResponseSchema,
  AlarmType,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Alarm } from '../../store/alarms.ts'
import type { Store } from '../../store/store.ts'
import type { Head } from '../../store/types.ts'
import { headerOf } from '../header.ts'

/**
 * Lists, raises or clears alarms, and answers with those that it is about. Raising twice is no error; nor is clearing
 * what isn't raised, which answers with none.
 * @throws EtcdError UnknownAlarmAction
 */
export async function answerAlarm(
  store: Store,
  request: AlarmRequest,
): Promise<MessageInitShape<typeof AlarmResponseSchema>> {
  const header = headerOf(await store.identity())
  const { head, alarms } = await act(store, request)
  return {
    header: header(head.revision),
    alarms: alarms.map(({ memberId, alarm }) => ({ memberID: memberId, alarm })),
  }
}

async function act(
  { alarms }: Store,
  { action, memberID: memberId, alarm }: AlarmRequest,
): Promise<{ head: Head; alarms: readonly Alarm[] }> {
  const asked = { memberId, alarm }
  switch (action) {
    case AlarmAction.GET:
      return await alarms.list(alarm)
    case AlarmAction.ACTIVATE: {
      // There is no such alarm to raise, and none of that kind to list.
      if (alarm === AlarmType.NONE) return { head: (await alarms.list(alarm)).head, alarms: [] }
      return { head: await alarms.raise(asked), alarms: [asked] }
    }
    case AlarmAction.DEACTIVATE: {
      const { head, wasRaised } = await alarms.clear(asked)
      return { head, alarms: wasRaised ? [asked] : [] }
    }
    default:
      // A number that this version doesn't know: the type is an open enum.
      action satisfies never
      throw EtcdError.of('UnknownAlarmAction')
  }
}

/** An alarm as etcd's status words it: Go's text form of the message, its last space included. */
export function describeAlarm({ memberId, alarm }: Alarm): string {
  const member = memberId === 0n ? '' : `memberID:${memberId} `
  return `${member}alarm:${AlarmType[alarm] ?? alarm} `
}
