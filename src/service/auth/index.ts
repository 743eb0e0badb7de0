import type { Auth } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { headerOf } from '../header.ts'
import type { Implementation } from '../services.ts'
import { PasswordDoor } from './authenticate.ts'
import { changerAsRoot } from './change-as-root.ts'
import type { AuthOptions } from './options.ts'
import { createRoleCalls } from './roles.ts'
import { createUserCalls } from './users.ts'

/** The Auth service. Everything but letting users in is for those with the role `root`, once authentication is on. */
export function createAuth(options: AuthOptions): Implementation<typeof Auth> {
  const { access, store, tokens } = options
  const door = new PasswordDoor(store, tokens)
  const asRoot = changerAsRoot(options)

  return {
    ...createUserCalls(options, asRoot),
    ...createRoleCalls(options, asRoot),

    authStatus: (_request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        const header = headerOf(await store.identity())
        const { revision } = await caller.store.head()
        const { enabled, authRevision } = caller.inForce
        return { header: header(revision), enabled, authRevision }
      }),

    authEnable: (_request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        const header = headerOf(await store.identity())
        const revision = await caller.store.authentication.enable()
        access.changed()
        return { header: header(revision) }
      }),

    authDisable: (_request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        const header = headerOf(await store.identity())
        const revision = await caller.store.authentication.disable()
        access.changed()
        return { header: header(revision) }
      }),

    async authenticate({ name, password }, { signal }) {
      const header = headerOf(await store.identity())
      const { revision, token } = await door.authenticate(name, password, signal)
      return { header: header(revision), token }
    },
  }
}
