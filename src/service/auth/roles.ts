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
import { ROOT_ROLE } from './caller.ts'
import type { ChangerAsRoot } from './change-as-root.ts'
import { type AuthOptions, checkNameLength } from './options.ts'
import { isPermissionRange } from './permission-range.ts'

type RoleCalls =
  | 'roleAdd'
  | 'roleGet'
  | 'roleList'
  | 'roleDelete'
  | 'roleGrantPermission'
  | 'roleRevokePermission'

/** What the role `root` shows, whatever was granted to it: everything. etcd leaves the key empty. */
const ROOT_PERMISSION = { permType: PermissionType.READWRITE, rangeEnd: Uint8Array.of(0) }

/**
 * The calls that manage roles: etcd's checks in etcd's order, then one call of the store. They are for root; every user
 * may ask for what their own roles permit.
 */
export function createRoleCalls(
  options: AuthOptions,
  asRoot: ChangerAsRoot,
): Pick<Implementation<typeof Auth>, RoleCalls> {
  const { access, requestBytesMax } = options

  return {
    roleAdd: (request, call) =>
      asRoot(call, AuthRoleAddRequestSchema, request, async ({ roles }) => {
        if (request.name === '') throw EtcdError.of('RoleEmpty')
        checkNameLength(request.name)
        return await roles.add(request.name)
      }),

    roleGet: (request, call) =>
      access.as(call, async (caller) => {
        checkRequestSize(AuthRoleGetRequestSchema, request, undefined, caller.proposer, requestBytesMax)
        if (!caller.hasRole(request.role)) caller.mustBeRoot()
        const header = headerOf(await caller.store.identity())
        const { head, permissions } = await caller.store.roles.get(request.role)
        return {
          header: header(head.revision),
          perm: request.role === ROOT_ROLE ? [ROOT_PERMISSION] : permissions,
        }
      }),

    roleList: (_request, call) =>
      access.as(call, async (caller) => {
        caller.mustBeRoot()
        const header = headerOf(await caller.store.identity())
        const { head, names } = await caller.store.roles.list()
        return { header: header(head.revision), roles: names }
      }),

    roleDelete: (request, call) =>
      asRoot(call, AuthRoleDeleteRequestSchema, request, ({ roles }) => roles.delete(request.role)),

    roleGrantPermission: (request, call) =>
      asRoot(call, AuthRoleGrantPermissionRequestSchema, request, async ({ roles }) => {
        const { name, perm } = request
        if (perm === undefined) throw EtcdError.of('PermissionNotGiven')
        if (!isPermissionRange(perm.key, perm.rangeEnd)) throw EtcdError.of('InvalidAuthMgmt')
        return await roles.grantPermission(name, perm)
      }),

    roleRevokePermission: (request, call) =>
      asRoot(call, AuthRoleRevokePermissionRequestSchema, request, ({ roles }) =>
        roles.revokePermission(request.role, request.key, request.rangeEnd),
      ),
  }
}
