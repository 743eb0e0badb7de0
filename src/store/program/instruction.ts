/** The instructions of migrations/functions/apply.sql, which says what each one takes and does. */
export const Instruction = {
  Request: 1,
  Compare: 2,
  Take: 3,
  Branch: 4,
  Jump: 5,
  CheckLease: 6,
  CheckKey: 7,
  CheckRevision: 8,
  CheckGone: 9,
  Put: 10,
  Delete: 11,
  Range: 12,
  Revoke: 13,
  Compact: 14,
  Mark: 15,
  CheckLeaseKeys: 16,
  Interval: 17,
} as const
export type Instruction = (typeof Instruction)[keyof typeof Instruction]

export const PutFlag = { PrevKv: 1, IgnoreValue: 2, IgnoreLease: 4 } as const
export const DeleteFlag = { PrevKv: 1 } as const
export const RangeFlag = { KeysOnly: 1, CountOnly: 2 } as const

/** Which alarms refuse a request: CORRUPT every change, NOSPACE what may add data. Ending leases is refused by none. */
export const RefusedBy = { None: 0, Corrupt: 2, NoSpaceOrCorrupt: 3 } as const
export type RefusedBy = (typeof RefusedBy)[keyof typeof RefusedBy]

/** A request's error, as its REQUEST row's outcome. */
export const Outcome = {
  Done: 0,
  KeyNotFound: 1,
  LeaseNotFound: 2,
  Compacted: 3,
  FutureRevision: 4,
  OldAuthVersion: 5,
  NoSpace: 6,
  Corrupt: 7,
  PermissionDenied: 8,
} as const
