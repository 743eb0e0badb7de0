/**
 * The closed table of errors that edgetcd answers with. It mirrors etcd 3.6's `rpctypes` table: name, gRPC code
 * and the exact text, which clients compare byte by byte. Nothing else may leave a service.
 */

/** gRPC status codes, by the names of the gRPC specification. */
export const GrpcCode = {
  Canceled: 1,
  Unknown: 2,
  InvalidArgument: 3,
  DeadlineExceeded: 4,
  NotFound: 5,
  AlreadyExists: 6,
  PermissionDenied: 7,
  ResourceExhausted: 8,
  FailedPrecondition: 9,
  Aborted: 10,
  OutOfRange: 11,
  Unimplemented: 12,
  Internal: 13,
  Unavailable: 14,
  DataLoss: 15,
  Unauthenticated: 16,
} as const
export type GrpcCode = (typeof GrpcCode)[keyof typeof GrpcCode]

const C = GrpcCode

/** etcd's errors by etcd's names (without the `ErrGRPC` prefix). */
export const ETCD_ERRORS = {
  EmptyKey: [C.InvalidArgument, 'etcdserver: key is not provided'],
  KeyNotFound: [C.InvalidArgument, 'etcdserver: key not found'],
  ValueProvided: [C.InvalidArgument, 'etcdserver: value is provided'],
  LeaseProvided: [C.InvalidArgument, 'etcdserver: lease is provided'],
  TooManyOps: [C.InvalidArgument, 'etcdserver: too many operations in txn request'],
  DuplicateKey: [C.InvalidArgument, 'etcdserver: duplicate key given in txn request'],
  InvalidSortOption: [C.InvalidArgument, 'etcdserver: invalid sort option'],
  /** etcd 3.7's. */
  RangeStreamSort: [C.Unimplemented, 'RangeStream does not support custom sort orders'],
  RangeStreamFilters: [C.Unimplemented, 'RangeStream does not support revision filters'],
  Compacted: [C.OutOfRange, 'etcdserver: mvcc: required revision has been compacted'],
  FutureRev: [C.OutOfRange, 'etcdserver: mvcc: required revision is a future revision'],
  Corrupt: [C.DataLoss, 'etcdserver: corrupt cluster'],
  NoSpace: [C.ResourceExhausted, 'etcdserver: mvcc: database space exceeded'],
  LeaseNotFound: [C.NotFound, 'etcdserver: requested lease not found'],
  LeaseExist: [C.FailedPrecondition, 'etcdserver: lease already exists'],
  LeaseTtlTooLarge: [C.OutOfRange, 'etcdserver: too large lease TTL'],
  RequestTooLarge: [C.InvalidArgument, 'etcdserver: request is too large'],
  TooManyRequests: [C.ResourceExhausted, 'etcdserver: too many requests'],
  NoLeader: [C.Unavailable, 'etcdserver: no leader'],
  Stopped: [C.Unavailable, 'etcdserver: server stopped'],
  Timeout: [C.Unavailable, 'etcdserver: request timed out'],
  TimeoutDueToConnectionLost: [
    C.Unavailable,
    'etcdserver: request timed out, possibly due to connection lost',
  ],
  MemberNotFound: [C.NotFound, 'etcdserver: member not found'],
  MemberBadUrls: [C.InvalidArgument, 'etcdserver: given member URLs are invalid'],
  PeerUrlExist: [C.FailedPrecondition, 'etcdserver: Peer URLs already exists'],
  MemberNotLearner: [C.FailedPrecondition, 'etcdserver: can only promote a learner member'],
  BadLeaderTransferee: [C.FailedPrecondition, 'etcdserver: bad leader transferee'],
  WrongDowngradeVersionFormat: [C.InvalidArgument, 'etcdserver: wrong downgrade target version format'],
  InvalidDowngradeTargetVersion: [C.InvalidArgument, 'etcdserver: invalid downgrade target version'],
  /** etcd crashes on this request, so this text is ours. */
  UnknownAlarmAction: [C.InvalidArgument, 'etcdserver: unknown alarm action'],
  UserEmpty: [C.InvalidArgument, 'etcdserver: user name is empty'],
  UserAlreadyExist: [C.FailedPrecondition, 'etcdserver: user name already exists'],
  UserNotFound: [C.FailedPrecondition, 'etcdserver: user name not found'],
  RoleEmpty: [C.InvalidArgument, 'etcdserver: role name is empty'],
  RoleAlreadyExist: [C.FailedPrecondition, 'etcdserver: role name already exists'],
  RoleNotFound: [C.FailedPrecondition, 'etcdserver: role name not found'],
  RoleNotGranted: [C.FailedPrecondition, 'etcdserver: role is not granted to the user'],
  PermissionNotGiven: [C.InvalidArgument, 'etcdserver: permission not given'],
  PermissionNotGranted: [C.FailedPrecondition, 'etcdserver: permission is not granted to the role'],
  InvalidAuthMgmt: [C.InvalidArgument, 'etcdserver: invalid auth management'],
  RootUserNotExist: [C.FailedPrecondition, 'etcdserver: root user does not exist'],
  RootRoleNotExist: [C.FailedPrecondition, 'etcdserver: root user does not have root role'],
  AuthFailed: [C.InvalidArgument, 'etcdserver: authentication failed, invalid user ID or password'],
  PermissionDenied: [C.PermissionDenied, 'etcdserver: permission denied'],
  InvalidAuthToken: [C.Unauthenticated, 'etcdserver: invalid auth token'],
  AuthNotEnabled: [C.FailedPrecondition, 'etcdserver: authentication is not enabled'],
  AuthOldRevision: [C.InvalidArgument, 'etcdserver: revision of auth store is old'],
  /** Not in `rpctypes`, or not by their code, so etcd passes them on as they are, without a code. */
  UnknownMethod: [C.Unknown, 'etcdserver: unknown method'],
  MemberNotEnoughStarted: [
    C.Unknown,
    'etcdserver: re-configuration failed due to not enough started members',
  ],
  LockSessionExpired: [C.Unknown, 'mutex: session is expired'],
  ElectionNoLeader: [C.Unknown, 'election: no leader'],
  ElectionNotLeader: [C.Unknown, 'election: not leader'],
  MissingLeaderKey: [C.Unknown, '"leader" field must be provided'],
  NoPasswordUser: [C.Unknown, 'auth: authentication failed, password was given for no password user'],
  PasswordTooLong: [C.Unknown, 'bcrypt: password length exceeds 72 bytes'],
  /** Written by gRPC itself, so without etcd's prefix. */
  Canceled: [C.Canceled, 'context canceled'],
  DeadlineExceeded: [C.DeadlineExceeded, 'context deadline exceeded'],
} as const satisfies Record<string, readonly [GrpcCode, string]>

export type EtcdErrorName = keyof typeof ETCD_ERRORS

/**
 * An error with the gRPC code and the text that a client sees. Make one by name with `EtcdError.of`; the
 * constructor itself is for the texts that carry a detail (parse errors, sizes, unimplemented methods).
 */
export class EtcdError extends Error {
  readonly code: GrpcCode

  constructor(code: GrpcCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EtcdError'
    this.code = code
  }

  /** The error of etcd's table with this name; `cause` is kept for the log and never sent. */
  static of(name: EtcdErrorName, cause?: unknown): EtcdError {
    const [code, message] = ETCD_ERRORS[name]
    return new EtcdError(code, message, cause === undefined ? undefined : { cause })
  }

  /** Whether this is the table's error with this name. */
  is(name: EtcdErrorName): boolean {
    const [code, message] = ETCD_ERRORS[name]
    return this.code === code && this.message === message
  }
}

const CODE_NAMES: ReadonlyMap<GrpcCode, string> = new Map(
  Object.entries(GrpcCode).map(([name, code]) => [code, name]),
)

/** A code's name in the gRPC specification. */
export function codeName(code: GrpcCode): string {
  return CODE_NAMES.get(code) ?? 'Unknown'
}

/** The error as Go's gRPC writes one out, which is how etcd tells why a watch was refused. */
export function rpcErrorText({ code, message }: EtcdError): string {
  return `rpc error: code = ${codeName(code)} desc = ${message}`
}
