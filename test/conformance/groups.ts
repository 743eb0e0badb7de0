/** The groups of scenarios that edgetcd has to pass. */
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
]

/** Groups whose part of etcd's API is not there yet. */
export const AWAITED_GROUPS: readonly string[] = ['auth']
