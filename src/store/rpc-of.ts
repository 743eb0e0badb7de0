/** Statements whose name doesn't say their RPC, by its first word. */
const BY_FIRST_WORD: Readonly<Record<string, string>> = {
  range: 'Range',
  count: 'Range',
  inspect: 'Txn',
  events: 'Watch',
  head: 'MemberList',
  hash: 'HashKV',
  snapshot: 'Snapshot',
  alarm: 'Alarm',
  sweep: 'Compact',
  note: 'Compact',
  rewrite: 'Defragment',
}

/** Those that many RPCs begin with, or none. */
const BY_NAME: Readonly<Record<string, string>> = {
  'auth rights': 'any',
  'auth password': 'Authenticate',
}

/** The RPC that a statement is run for, by the statement's name; all but batches of writes are run for one. */
export function rpcOf(statement: string): string {
  const [first = ''] = statement.split(' ', 1)
  const known = BY_NAME[statement] ?? BY_FIRST_WORD[first]
  if (known !== undefined) return known
  return statement
    .split(/[ -]/)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('')
}
