import { EtcdError } from '../../etcd/errors.ts'
import {
  type Auth,
  AuthUserAddRequestSchema,
  AuthUserChangePasswordRequestSchema,
  AuthUserDeleteRequestSchema,
  AuthUserGetRequestSchema,
  AuthUserGrantRoleRequestSchema,
  AuthUserRevokeRoleRequestSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { headerOf } from '../header.ts'
import { checkRequestSize } from '../request-size.ts'
import type { Implementation } from '../services.ts'
import type { ChangerAsRoot } from './change-as-root.ts'
import { type AuthOptions, checkNameLength } from './options.ts'
import { checkPasswordLength, givenHash, hashPassword, withHashInstead } from './password.ts'

type UserCalls =
  | 'userAdd'
  | 'userGet'
  | 'userList'
  | 'userDelete'
  | 'userChangePassword'
  | 'userGrantRole'
  | 'userRevokeRole'

/**
 * The calls that manage users: etcd's checks in etcd's order, then one call of the store. They are for root; every user
 * may ask for their own roles.
 */
export function createUserCalls(
  options: AuthOptions,
  asRoot: ChangerAsRoot,
): Pick<Implementation<typeof Auth>, UserCalls> {
  const { access, environment, requestBytesMax } = options

  return {
    async userAdd(request, call) {
      const noPassword = request.options?.noPassword === true
      if (!noPassword) checkPasswordLength(request.password)
      const proposed = noPassword ? request : withHashInstead(request)
      return await asRoot(call, AuthUserAddRequestSchema, proposed, async ({ users }) => {
        if (request.name === '') throw EtcdError.of('UserEmpty')
        checkNameLength(request.name)
        const password = noPassword ? undefined : await hashPassword(request.password, environment.random)
        return await users.add(request.name, password)
      })
    },

    userGet: (request, call) =>
      access.as(call, async (caller) => {
        checkRequestSize(AuthUserGetRequestSchema, request, undefined, caller.proposer, requestBytesMax)
        if (request.name !== (caller.identity?.name ?? '')) caller.mustBeRoot()
        const header = headerOf(await caller.store.identity())
        const { head, roles } = await caller.store.users.get(request.name)
        return { header: header(head.revision), roles }
      }),

    userList: (_request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        const header = headerOf(await caller.store.identity())
        const { head, names } = await caller.store.users.list()
        return { header: header(head.revision), users: names }
      }),

    userDelete: (request, call) =>
      asRoot(call, AuthUserDeleteRequestSchema, request, ({ users }) => users.delete(request.name)),

    async userChangePassword(request, call) {
      const plain = request.password !== ''
      if (plain) checkPasswordLength(request.password)
      const proposed = plain ? withHashInstead(request) : request
      return await asRoot(call, AuthUserChangePasswordRequestSchema, proposed, async ({ users }) => {
        const password = plain
          ? await hashPassword(request.password, environment.random)
          : givenHash(request.hashedPassword)
        return await users.changePassword(request.name, password)
      })
    },

    userGrantRole: (request, call) =>
      asRoot(call, AuthUserGrantRoleRequestSchema, request, ({ users }) =>
        users.grantRole(request.user, request.role),
      ),

    userRevokeRole: (request, call) =>
      asRoot(call, AuthUserRevokeRoleRequestSchema, request, ({ users }) =>
        users.revokeRole(request.name, request.role),
      ),
  }
}
