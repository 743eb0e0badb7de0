/** What differs from one store to the next, and with it the width of a table's columns. */
const MASKS: readonly (readonly [RegExp, string])[] = [
  // The client's own log, with addresses of its memory.
  [/^\{"level":.*\n/gm, ''],
  [/\b\d+(\.\d+)?(ns|µs|ms|s)\b/g, '<duration>'],
  [/"took":"[^"]*"/g, '"took":"<duration>"'],
  [
    /"(raft_?[Tt]erm|raft_?[Ii]ndex|raftAppliedIndex|dbSize|dbSizeInUse|dbSizeQuota|hash)":\d+/g,
    '"$1":<number>',
  ],
  [/"(RaftTerm|RaftIndex|RaftAppliedIndex|DBSize|DBSizeInUse|DBSizeQuota|Hash)" : \d+/g, '"$1" : <number>'],
  [/"(ttl|TTL)"( : |:)\d+/g, '"$1"$2<seconds>'],
  [/remaining\(\d+s?\)/g, 'remaining(<seconds>)'],
  [/\b\d{4}-\d\d-\d\d[T ][0-9:.]+(Z|[+-][\d:]+)?/g, '<time>'],
  [/\d+(\.\d+)? [kM]?B\b/g, '<size>'],
  [/\b\d+%/g, '<percentage>'],
  [/https?:\/\/127\.0\.0\.1:\d+/g, '<url>'],
  [/-{3,}/g, '-'],
  [/ {2,}/g, ' '],
  // The hash of `endpoint hashkv`, and the term and the two indices of `endpoint status`, in lines and in tables.
  [/^(\|? ?<url>(?:,| \|)) \d+((?:,| \|) \d+(?: \|)?)$/gm, '$1 <hash>$2'],
  [/((?:true|false)(?:,| \|)) \d+((?:,| \|)) \d+((?:,| \|)) \d+/g, '$1 <term>$2 <index>$3 <index>'],
]

/**
 * The transcript without what may differ: `names` are replaced, ids numbered in the order in which they appear (in hex or
 * decimal), and times, sizes and counters of Raft's masked.
 */
export function normalise(transcript: string, names: Readonly<Record<string, string>>): string {
  const ids = new Map<bigint, string>()
  const nameOf = (id: bigint) => {
    const name = ids.get(id) ?? `<id ${ids.size + 1}>`
    ids.set(id, name)
    return name
  }
  let text = transcript
  for (const [name, value] of Object.entries(names)) text = text.replaceAll(value, `<${name}>`)
  text = text.replace(/\b(?:\d{17,20}|[0-9a-f]{14,16})\b/g, (id) =>
    nameOf(/^\d{17,}$/.test(id) ? BigInt(id) : BigInt(`0x${id}`)),
  )
  for (const [pattern, mask] of MASKS) text = text.replace(pattern, mask)
  return text
}
