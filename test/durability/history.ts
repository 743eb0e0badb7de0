/**
 * A check of strict serializability. What makes it cheap is that the store says in which order things happened: the
 * watch gives each write with its revision, and every answer the revision at which it was made. So nothing has to be
 * searched: the order is given, and what is left to show is that it explains every answer and agrees with the time
 * at which the clients saw things.
 */

/** A write as the watch tells of it. */
export interface Applied {
  readonly key: string
  readonly value: string
  readonly revision: number
}

interface Timed {
  readonly key: string
  /** Any clock that never goes back, common to all clients. */
  readonly startedAt: number
  readonly endedAt: number
}

/** The store had, at `revision`, this value under the key, written at `modRevision` (0: no key). */
export interface Read extends Timed {
  readonly kind: 'read'
  readonly revision: number
  readonly modRevision: number
  readonly value: string | undefined
}

/** An acknowledged write. A compare-and-swap names the modRevision that it found; `value` is used by no other write. */
export interface Write extends Timed {
  readonly kind: 'write'
  readonly value: string
  readonly revision: number
  readonly expectedModRevision?: number
}

/** A write that may have happened (`unknown`) or was said not to have happened (`refused`). */
export interface Unacknowledged extends Timed {
  readonly kind: 'unknown' | 'refused'
  readonly value: string
  readonly expectedModRevision?: number
}

export type Operation = Read | Write | Unacknowledged

/** What is wrong with a history; empty when nothing is. `applied` are all writes of the store from revision `first` on. */
export function checkHistory(
  applied: readonly Applied[],
  operations: readonly Operation[],
  first: number,
): string[] {
  return [
    ...checkDense(applied, first),
    ...checkAttribution(applied, operations),
    ...operations.flatMap((operation) => (operation.kind === 'read' ? checkRead(applied, operation) : [])),
    ...checkCompares(applied, operations),
    ...checkRealTime(applied, operations),
  ]
}

/** Every revision once, none left out, in order. */
function checkDense(applied: readonly Applied[], first: number): string[] {
  return applied.flatMap(({ revision }, index) =>
    revision === first + index
      ? []
      : [`the event at place ${index} has revision ${revision}, not ${first + index}`],
  )
}

/** Every event is of a write that was sent and not refused, and of each only one; every acknowledged write is there. */
function checkAttribution(applied: readonly Applied[], operations: readonly Operation[]): string[] {
  const sent = new Map(
    operations.flatMap((operation) => (operation.kind === 'read' ? [] : [[operation.value, operation]])),
  )
  const seen = new Map<string, Applied>()
  const problems: string[] = []
  for (const event of applied) {
    const before = seen.get(event.value)
    if (before) problems.push(`${event.value} was written twice, at ${before.revision} and ${event.revision}`)
    seen.set(event.value, event)
    const operation = sent.get(event.value)
    if (!operation) problems.push(`nobody wrote ${event.value}, which is there at ${event.revision}`)
    else if (operation.kind === 'refused') {
      problems.push(`${event.value} was said not to have happened and is there at ${event.revision}`)
    }
  }
  for (const operation of operations) {
    if (operation.kind !== 'write') continue
    const event = seen.get(operation.value)
    if (!event) problems.push(`${operation.value}, acknowledged at ${operation.revision}, is lost`)
    else if (event.revision !== operation.revision || event.key !== operation.key) {
      problems.push(
        `${operation.value} was acknowledged at ${operation.revision} and is there at ${event.revision}`,
      )
    }
  }
  return problems
}

/** The last write of the key up to this revision. */
function stateAt(applied: readonly Applied[], key: string, revision: number): Applied | undefined {
  return applied.findLast((event) => event.key === key && event.revision <= revision)
}

function checkRead(applied: readonly Applied[], read: Read): string[] {
  const state = stateAt(applied, read.key, read.revision)
  if ((state?.revision ?? 0) === read.modRevision && state?.value === read.value) return []
  return [
    `a read of ${read.key} at ${read.revision} gave ${read.value} of ${read.modRevision}, ` +
      `but there was ${state?.value} of ${state?.revision}`,
  ]
}

/** Every compare-and-swap that happened found what it expected just before. */
function checkCompares(applied: readonly Applied[], operations: readonly Operation[]): string[] {
  const swaps = new Map(
    operations.flatMap((operation) =>
      operation.kind !== 'read' && operation.expectedModRevision !== undefined
        ? [[operation.value, operation.expectedModRevision]]
        : [],
    ),
  )
  return applied.flatMap((event) => {
    const expected = swaps.get(event.value)
    if (expected === undefined) return []
    const before = stateAt(applied, event.key, event.revision - 1)?.revision ?? 0
    return before === expected
      ? []
      : [`${event.value} expected ${expected} and swapped ${before} at ${event.revision}`]
  })
}

/** Whatever began after another had ended comes after it: a read at the same revision or later, a write later. */
function checkRealTime(applied: readonly Applied[], operations: readonly Operation[]): string[] {
  const revisionOf = new Map(applied.map((event) => [event.value, event.revision]))
  const placed = operations.flatMap((operation) => {
    const place = placeOf(operation, revisionOf)
    return place === undefined ? [] : [{ operation, ...place }]
  })
  const byEnd = [...placed].sort((a, b) => a.endedAt - b.endedAt)
  const byStart = [...placed].sort((a, b) => a.operation.startedAt - b.operation.startedAt)
  const problems: string[] = []
  let ended = 0
  let latest = 0
  for (const { operation, revision } of byStart) {
    for (let next = byEnd[ended]; next && next.endedAt < operation.startedAt; next = byEnd[++ended]) {
      latest = Math.max(latest, next.revision)
    }
    const earliest = operation.kind === 'read' ? latest : latest + 1
    if (revision < earliest) {
      problems.push(
        `a ${operation.kind} of ${operation.key} at ${revision} began after revision ${latest} was seen`,
      )
    }
  }
  return problems
}

/** Where in the order of revisions an operation stands, and when it was over; undefined if it never happened. */
function placeOf(
  operation: Operation,
  revisionOf: ReadonlyMap<string, number>,
): { revision: number; endedAt: number } | undefined {
  switch (operation.kind) {
    case 'read':
    case 'write':
      return { revision: operation.revision, endedAt: operation.endedAt }
    case 'unknown':
    case 'refused': {
      // What was never acknowledged may take effect at any later time.
      const revision = revisionOf.get(operation.value)
      return revision === undefined ? undefined : { revision, endedAt: Number.POSITIVE_INFINITY }
    }
    default:
      return operation satisfies never
  }
}
