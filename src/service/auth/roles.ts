import { EtcdError } from '../../etcd/errors.ts'
import { Permission_Type as PermissionType } from '../../etcd/generated/authpb/auth_pb.ts'
import {
  type Auth,
  AuthRoleAddRequestSchema,
  AuthRoleDeleteRequestSchema,
  AuthRoleGetRequestSchema,
  AuthRoleGrantPermissionRequestSchema,
  AuthRoleRevokePermissionRequestSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { headerOf } from '../header.ts'
import { checkRequestSize } from '../request-size.ts'
import type { Implementation } from '../services.ts'
import { type AuthOptions, checkNameLength } from './options.ts'
import { isPermissionRange } from './permission-range.ts'

type RoleCalls =
  | 'roleAdd'
  | 'roleGet'
  | 'roleList'
  | 'roleDelete'
  | 'roleGrantPermission'
  | 'roleRevokePermission'

const ROOT_ROLE = 'root'
/** What the role `root` shows, whatever was granted to it: everything. etcd leaves the key empty. */
const ROOT_PERMISSION = { permType: PermissionType.READWRITE, rangeEnd: Uint8Array.of(0) }

/** The calls that manage roles: etcd's checks in etcd's order, then one call of the store. */
export function createRoleCalls({
  store,
  requestBytesMax,
}: AuthOptions): Pick<Implementation<typeof Auth>, RoleCalls> {
  const { roles } = store

  return {
    async roleAdd(request) {
      checkRequestSize(AuthRoleAddRequestSchema, request, undefined, requestBytesMax)
      if (request.name === '') throw EtcdError.of('RoleEmpty')
      checkNameLength(request.name)
      const header = headerOf(await store.identity())
      return { header: header(await roles.add(request.name)) }
    },

    async roleGet(request) {
      checkRequestSize(AuthRoleGetRequestSchema, request, undefined, requestBytesMax)
      const header = headerOf(await store.identity())
      const { head, permissions } = await roles.get(request.role)
      return {
        header: header(head.revision),
        perm: request.role === ROOT_ROLE ? [ROOT_PERMISSION] : permissions,
      }
    },

    async roleList() {
      const header = headerOf(await store.identity())
      const { head, names } = await roles.list()
      return { header: header(head.revision), roles: names }
    },

    async roleDelete(request) {
      checkRequestSize(AuthRoleDeleteRequestSchema, request, undefined, requestBytesMax)
      const header = headerOf(await store.identity())
      return { header: header(await roles.delete(request.role)) }
    },

    async roleGrantPermission(request) {
      checkRequestSize(AuthRoleGrantPermissionRequestSchema, request, undefined, requestBytesMax)
      const { name, perm } = request
      if (perm === undefined) throw EtcdError.of('PermissionNotGiven')
      if (!isPermissionRange(perm.key, perm.rangeEnd)) throw EtcdError.of('InvalidAuthMgmt')
      const header = headerOf(await store.identity())
      return { header: header(await roles.grantPermission(name, perm)) }
    },

    async roleRevokePermission(request) {
      checkRequestSize(AuthRoleRevokePermissionRequestSchema, request, undefined, requestBytesMax)
      const header = headerOf(await store.identity())
      return { header: header(await roles.revokePermission(request.role, request.key, request.rangeEnd)) }
    },
  }
}
