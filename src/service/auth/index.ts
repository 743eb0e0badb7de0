import { EtcdError } from '../../etcd/errors.ts'
import type { Auth } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { headerOf } from '../header.ts'
import type { Implementation } from '../services.ts'
import type { AuthOptions } from './options.ts'
import { createRoleCalls } from './roles.ts'
import { createUserCalls } from './users.ts'

/**
 * The Auth service: users and roles are managed and kept, and can't be put in force. So authentication is off, every
 * operation is open, and what etcd answers in that state is answered.
 */
export function createAuth(options: AuthOptions): Omit<Implementation<typeof Auth>, 'authEnable'> {
  const { store } = options

  return {
    ...createUserCalls(options),
    ...createRoleCalls(options),

    async authStatus() {
      const header = headerOf(await store.identity())
      const { revision, authRevision } = await store.head()
      return { header: header(revision), enabled: false, authRevision }
    },

    async authDisable() {
      const header = headerOf(await store.identity())
      const { revision } = await store.head()
      return { header: header(revision) }
    },

    async authenticate() {
      throw EtcdError.of('AuthNotEnabled')
    },
  }
}
