import type { DescMessage, MessageShape } from '@bufbuild/protobuf'
import { Slots } from '../../slots.ts'
import type { Store } from '../../store/store.ts'
import type { Call } from '../call.ts'
import { headerOf } from '../header.ts'
import { checkRequestSize } from '../request-size.ts'
import type { AuthOptions } from './options.ts'

/**
 * What all changes of users and roles have in common: a request that fits, from root, and an answer that has only a
 * header. `change` gives the keys' revision.
 *
 * They take turns: each is held to the rights that were in force when it began, and ends those for all that began with it.
 */
export function changerAsRoot({ access, requestBytesMax }: AuthOptions) {
  const turns = new Slots(1)
  return <T extends DescMessage>(
    call: Call,
    schema: T,
    request: MessageShape<T>,
    change: (store: Store) => Promise<bigint>,
  ) =>
    turns.run(call.signal, () =>
      access.as(call, async (caller) => {
        checkRequestSize(schema, request, undefined, caller.proposer, requestBytesMax)
        caller.mustBeRoot()
        const header = headerOf(await caller.store.identity())
        const revision = await change(caller.store)
        access.changed()
        return { header: header(revision) }
      }),
    )
}
