/** The size that `request is too large` goes by: that of the message which etcd sends through consensus. */
import { Buffer } from 'node:buffer'
import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf'
import {
  AlarmRequestSchema,
  AuthRoleAddRequestSchema,
  AuthRoleDeleteRequestSchema,
  AuthRoleGetRequestSchema,
  AuthRoleGrantPermissionRequestSchema,
  AuthRoleRevokePermissionRequestSchema,
  AuthUserAddRequestSchema,
  AuthUserChangePasswordRequestSchema,
  AuthUserDeleteRequestSchema,
  AuthUserGetRequestSchema,
  AuthUserGrantRoleRequestSchema,
  AuthUserRevokeRoleRequestSchema,
  CompactionRequestSchema,
  DeleteRangeRequestSchema,
  LeaseGrantRequestSchema,
  LeaseRevokeRequestSchema,
  PutRequestSchema,
  TxnRequestSchema,
} from './generated/etcdserverpb/rpc_pb.ts'
import { delimitedSize, protobufSize, tagSize, varintSize } from './protobuf-size.ts'

/** The field that each request has in etcd's envelope, InternalRaftRequest. */
const ENVELOPE_FIELDS: ReadonlyMap<DescMessage, number> = new Map<DescMessage, number>([
  [PutRequestSchema, 4],
  [DeleteRangeRequestSchema, 5],
  [TxnRequestSchema, 6],
  [CompactionRequestSchema, 7],
  [LeaseGrantRequestSchema, 8],
  [LeaseRevokeRequestSchema, 9],
  [AlarmRequestSchema, 10],
  [AuthUserAddRequestSchema, 1100],
  [AuthUserDeleteRequestSchema, 1101],
  [AuthUserGetRequestSchema, 1102],
  [AuthUserChangePasswordRequestSchema, 1103],
  [AuthUserGrantRoleRequestSchema, 1104],
  [AuthUserRevokeRoleRequestSchema, 1105],
  [AuthRoleAddRequestSchema, 1200],
  [AuthRoleDeleteRequestSchema, 1201],
  [AuthRoleGetRequestSchema, 1202],
  [AuthRoleGrantPermissionRequestSchema, 1203],
  [AuthRoleRevokePermissionRequestSchema, 1204],
])

/** The envelope's header, and the fields in it. */
const HEADER_FIELD = 100
const HEADER_ID_FIELD = 1
const HEADER_USERNAME_FIELD = 2
const HEADER_AUTH_REVISION_FIELD = 3

/** etcd numbers its proposals with the member's id in the high bits: nine bytes for half of all members, else ten. */
const PROPOSAL_ID_SIZE = 9

/** Who asks, while authentication is on: the envelope names the user, and the rights that the token was checked under. */
export interface Proposer {
  readonly name: string
  readonly authRevision: bigint
}

/** The size in bytes of a request in its envelope, to be compared with `LIMITS.requestBytesMax`. */
export function proposalSize<M extends DescMessage>(
  schema: M,
  message: MessageInitShape<M>,
  user?: Proposer,
): number {
  const field = ENVELOPE_FIELDS.get(schema)
  if (field === undefined) throw new Error(`${schema.typeName} does not go through consensus`)
  let header = tagSize(HEADER_ID_FIELD) + PROPOSAL_ID_SIZE
  if (user !== undefined) {
    header += tagSize(HEADER_USERNAME_FIELD) + delimitedSize(Buffer.byteLength(user.name))
    header += tagSize(HEADER_AUTH_REVISION_FIELD) + varintSize(user.authRevision)
  }
  const request = protobufSize(schema, message)
  return tagSize(HEADER_FIELD) + delimitedSize(header) + tagSize(field) + delimitedSize(request)
}
