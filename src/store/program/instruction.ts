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
} as const
export type Instruction = (typeof Instruction)[keyof typeof Instruction]

export const PutFlag = { PrevKv: 1, IgnoreValue: 2, IgnoreLease: 4 } as const
export const DeleteFlag = { PrevKv: 1 } as const
export const RangeFlag = { KeysOnly: 1, CountOnly: 2 } as const

/** A request's error, as its REQUEST row's outcome. */
export const Outcome = {
  Done: 0,
  KeyNotFound: 1,
  LeaseNotFound: 2,
  Compacted: 3,
  FutureRevision: 4,
  OldAuthRevision: 5,
} as const
