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

/** The calls that manage users: etcd's checks in etcd's order, then one call of the store. */
export function createUserCalls({
  store,
  environment,
  requestBytesMax,
}: AuthOptions): Pick<Implementation<typeof Auth>, UserCalls> {
  const { users } = store

  return {
    async userAdd(request) {
      const noPassword = request.options?.noPassword === true
      if (!noPassword) checkPasswordLength(request.password)
      const proposed = noPassword ? request : withHashInstead(request)
      checkRequestSize(AuthUserAddRequestSchema, proposed, undefined, requestBytesMax)
      if (request.name === '') throw EtcdError.of('UserEmpty')
      checkNameLength(request.name)
      const header = headerOf(await store.identity())
      const password = noPassword ? undefined : await hashPassword(request.password, environment.random)
      return { header: header(await users.add(request.name, password)) }
    },

    async userGet(request) {
      checkRequestSize(AuthUserGetRequestSchema, request, undefined, requestBytesMax)
      const header = headerOf(await store.identity())
      const { head, roles } = await users.get(request.name)
      return { header: header(head.revision), roles }
    },

    async userList() {
      const header = headerOf(await store.identity())
      const { head, names } = await users.list()
      return { header: header(head.revision), users: names }
    },

    async userDelete(request) {
      checkRequestSize(AuthUserDeleteRequestSchema, request, undefined, requestBytesMax)
      const header = headerOf(await store.identity())
      return { header: header(await users.delete(request.name)) }
    },

    async userChangePassword(request) {
      const plain = request.password !== ''
      if (plain) checkPasswordLength(request.password)
      const proposed = plain ? withHashInstead(request) : request
      checkRequestSize(AuthUserChangePasswordRequestSchema, proposed, undefined, requestBytesMax)
      const header = headerOf(await store.identity())
      const password = plain
        ? await hashPassword(request.password, environment.random)
        : givenHash(request.hashedPassword)
      return { header: header(await users.changePassword(request.name, password)) }
    },

    async userGrantRole(request) {
      checkRequestSize(AuthUserGrantRoleRequestSchema, request, undefined, requestBytesMax)
      const header = headerOf(await store.identity())
      return { header: header(await users.grantRole(request.user, request.role)) }
    },

    async userRevokeRole(request) {
      checkRequestSize(AuthUserRevokeRoleRequestSchema, request, undefined, requestBytesMax)
      const header = headerOf(await store.identity())
      return { header: header(await users.revokeRole(request.name, request.role)) }
    },
  }
}
