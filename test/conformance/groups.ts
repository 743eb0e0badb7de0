/** The groups of scenarios, in the order in which they are shown. */
export const IMPLEMENTED_GROUPS: readonly string[] = [
  'kv-range',
  'kv-put',
  'kv-delete',
  'txn',
  'compaction',
  'lease',
  'watch-stream',
  'errors',
  'proto3-json',
  'http',
  'lock',
  'election',
  'cluster',
  'maintenance',
  'auth',
]
