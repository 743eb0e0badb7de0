import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { Slots } from '../../slots.ts'
import type { Store } from '../../store/store.ts'
import type { Call } from '../call.ts'
import { headerOf } from '../header.ts'
import { checkRequestSize } from '../request-size.ts'
import type { Caller } from './caller.ts'
import type { AuthOptions } from './options.ts'

/**
 * What all changes of users and roles have in common: a request that fits, from root, and an answer that has only a
 * header. `change` gives the keys' revision.
 *
 * They take turns: each is held to the rights that were in force when it began, and ends those for all that began with it.
 * Who isn't root is refused before that, and nobody waits longer than etcd's request timeout.
 */
export function changerAsRoot({ access, requestBytesMax }: AuthOptions) {
  const turns = new Slots(1)
  return async <T extends DescMessage>(
    call: Call,
    schema: T,
    request: MessageShape<T>,
    change: (store: Store) => Promise<bigint>,
  ) => {
    const admit = (caller: Caller) => {
      checkRequestSize(schema, request, undefined, caller.proposer, requestBytesMax)
      caller.mustBeRoot()
    }
    await access.as(call, async (caller) => admit(caller))
    const changing = () =>
      access.as(call, async (caller) => {
        admit(caller)
        const header = headerOf(await caller.store.identity())
        const revision = await change(caller.store)
        access.changed()
        return { header: header(revision) }
      })
    return await turns.runWithin(LIMITS.requestTimeoutMs, call.signal, changing, (cause) =>
      EtcdError.of('Timeout', cause),
    )
  }
}

export type ChangerAsRoot = ReturnType<typeof changerAsRoot>
