import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import type { WatchCreateRequest_FilterType } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { LoggedEvent } from '../../store/event-log.ts'
import type { Call } from '../call.ts'
import type { LongPollAnswer, LongPollRequest } from '../services.ts'
import { eventAnswer, isWanted } from './answers.ts'
import type { LogAccess, Waiting, WatchContext } from './context.ts'
import { isEmptyRange, type KeyRange, rangeOf } from './key-range.ts'
import { ReaderRights } from './reader-rights.ts'
import type { Subscriber } from './tail.ts'

/**
 * One answer as soon as there is an event at or after `startRevision`, an empty one after `waitMs` (at the most
 * LIMITS.waitMaxSeconds), or the compacted revision. An answer is complete from `startRevision` through its `revision`,
 * which never lies above the store's; whole revisions only.
 *
 * Fails for lack of permission, also when that goes while it waits, with the store's error when the log can't be read in that time, with `Canceled` when the client goes away, and
 * for a range that holds no key or a negative revision as a watch does.
 */
export async function longPoll(
  context: WatchContext,
  request: LongPollRequest,
  call: Call,
): Promise<LongPollAnswer> {
  const range = rangeOf(request.key, request.rangeEnd)
  if (isEmptyRange(range)) {
    throw new EtcdError(GrpcCode.InvalidArgument, 'mvcc: watcher range is empty')
  }
  if (request.startRevision < 0n) throw EtcdError.of('Compacted')
  if (context.isStopped) throw EtcdError.of('Stopped')
  const rights = new ReaderRights(context.access, call)
  await rights.admit(range)
  const log = context.openLog()
  const poll = new Poll(range, request, rights)
  const abort = () => poll.end()
  call.signal.addEventListener('abort', abort, { once: true })
  if (call.signal.aborted) abort()
  context.waiting.add(poll)
  try {
    const answer = await run(context, log, poll)
    if (call.signal.aborted) throw EtcdError.of('Canceled')
    if (poll.error !== undefined) throw poll.error
    if ('events' in answer) context.eventsSent += answer.events.length
    return answer
  } catch (error) {
    // Whatever it was doing when its rights went broke off for that.
    if (poll.error !== undefined) throw poll.error
    throw context.isStopped ? EtcdError.of('Stopped', error) : error
  } finally {
    log.tail.unsubscribe(poll)
    log.release()
    context.waiting.delete(poll)
    call.signal.removeEventListener('abort', abort)
  }
}

async function run(context: WatchContext, log: LogAccess, poll: Poll): Promise<LongPollAnswer> {
  const { clock } = context.environment
  const endsAtMs = clock.now() + Math.min(poll.request.waitMs, LIMITS.waitMaxSeconds * 1000)
  const found = await readPast(log, poll, endsAtMs)
  if (found !== undefined) return found
  log.tail.subscribe(poll)
  await clock.sleep(endsAtMs - clock.now(), poll.signal)
  return poll.answer(log.tail.completeThrough(poll))
}

/** What the log holds already; undefined when that is nothing, and the poll's position is level with the head. */
async function readPast(log: LogAccess, poll: Poll, endsAtMs: number): Promise<LongPollAnswer | undefined> {
  const { startRevision, prevKv } = poll.request
  if (startRevision === 0n) {
    poll.position = await log.tail.refresh(poll.signal, endsAtMs)
    return undefined
  }
  for (let after = startRevision - 1n; ; after = poll.position) {
    const page = await log.reader.read({ after, range: poll.range, prevKv }, poll.signal, endsAtMs)
    const { revision, compactRevision } = page.head
    if (startRevision < compactRevision) return { revision, compactRevision }
    poll.position = page.through
    poll.keep(page.events)
    if (poll.hasEvents) return poll.answer(page.through)
    if (page.through >= revision) return undefined
  }
}

/** One client that waits for the next events. */
class Poll implements Subscriber, Waiting {
  readonly range: KeyRange
  readonly request: LongPollRequest
  readonly kind = 'long poll'
  readonly watches = 1
  readonly behind = 0
  readonly lowest = undefined
  readonly unsentEvents = 0
  position = 0n
  private readonly done = new AbortController()
  private readonly events: LoggedEvent[] = []
  private compactRevision: bigint | undefined
  readonly rights: ReaderRights
  error: EtcdError | undefined

  constructor(range: KeyRange, request: LongPollRequest, rights: ReaderRights) {
    this.range = range
    this.request = request
    this.rights = rights
  }

  get prevKv(): boolean {
    return this.request.prevKv
  }

  get filters(): readonly WatchCreateRequest_FilterType[] {
    return this.request.filters
  }

  get startRevision(): bigint {
    return this.request.startRevision
  }

  /** Aborts when there is no reason to wait any longer. */
  get signal(): AbortSignal {
    return this.done.signal
  }

  get hasEvents(): boolean {
    return this.events.length > 0
  }

  keep(events: readonly LoggedEvent[]): void {
    for (const event of events) if (isWanted(event, this)) this.events.push(event)
  }

  deliver(_revision: bigint, events: LoggedEvent[]): void {
    this.keep(events)
    if (this.hasEvents) this.done.abort()
  }

  compacted(compactRevision: bigint): void {
    this.compactRevision = compactRevision
    this.done.abort()
  }

  failed(error: EtcdError): void {
    this.error = error
    this.done.abort()
  }

  dismiss(refusalOf: (range: KeyRange) => EtcdError | undefined): void {
    const refusal = refusalOf(this.range)
    if (refusal !== undefined) this.failed(refusal)
  }

  end(): void {
    this.done.abort()
  }

  answer(revision: bigint): LongPollAnswer {
    if (this.compactRevision !== undefined) return { revision, compactRevision: this.compactRevision }
    return { revision, events: this.events.map((event) => eventAnswer(event, this)) }
  }
}
