import { create } from '@bufbuild/protobuf'
import type { Clock } from '../../environment.ts'
import { type WatchRequest, WatchRequestSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { WatchQuery } from '../watch-query.ts'

/**
 * What a client would say on a stream of its own: the watch, and from time to time the question how far it has come.
 * The answers move the client's position on while nothing happens to its keys, so that compaction doesn't overtake it.
 * A watch from the past asks at once, since its connection may be too short for the next time. Ends when the signal
 * aborts.
 */
export async function* watchRequests(
  watch: WatchQuery,
  clock: Clock,
  signal: AbortSignal,
): AsyncGenerator<WatchRequest, void, undefined> {
  const { key, rangeEnd, startRevision, prevKv } = watch
  const value = { key, rangeEnd, startRevision, prevKv, filters: [...watch.filters] }
  yield create(WatchRequestSchema, { requestUnion: { case: 'createRequest', value } })
  const progress = create(WatchRequestSchema, { requestUnion: { case: 'progressRequest', value: {} } })
  if (startRevision !== 0n) yield progress
  for (;;) {
    await clock.sleep(LIMITS.serverSentProgressMs, signal)
    if (signal.aborted) return
    yield progress
  }
}
