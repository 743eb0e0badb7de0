import type { Environment } from '../../environment.ts'
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { EventPage, LoggedEvent } from '../../store/event-log.ts'
import type { Call } from '../call.ts'
import type { LongPollAnswer, LongPollRequest } from '../services.ts'
import { eventAnswer, isWanted } from './answers.ts'
import type { LogAccess, Waiting, WatchContext } from './context.ts'
import type { HubQuery } from './hub.ts'
import { isEmptyRange, type KeyRange, rangeOf } from './key-range.ts'
import { retryDelayMs } from './pace.ts'
import { ReaderRights } from './reader-rights.ts'

/**
 * One answer as soon as there is an event at or after `startRevision`, an empty one after `waitMs` (at the most
 * LIMITS.waitMaxSeconds), or the compacted revision. An answer is complete from `startRevision` through its `revision`,
 * which never lies above the store's; whole revisions only.
 *
 * Fails for lack of permission, also when that goes while it waits, with the store's error when the log can't be read in
 * that time, with `Canceled` when the client goes away, and for a range that holds no key or a negative revision as a watch
 * does.
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
    const answer = await run(context.environment, log, poll)
    if (call.signal.aborted) throw EtcdError.of('Canceled')
    if (poll.error !== undefined) throw poll.error
    if ('events' in answer) context.eventsSent += answer.events.length
    return answer
  } catch (error) {
    // Whatever it was doing when its rights went broke off for that.
    if (poll.error !== undefined) throw poll.error
    throw context.isStopped ? EtcdError.of('Stopped', error) : error
  } finally {
    log.release()
    context.waiting.delete(poll)
    call.signal.removeEventListener('abort', abort)
  }
}

async function run({ clock, random }: Environment, log: LogAccess, poll: Poll): Promise<LongPollAnswer> {
  const endsAtMs = clock.now() + Math.min(poll.request.waitMs, LIMITS.waitMaxSeconds * 1000)
  const leftMs = () => Math.max(0, endsAtMs - clock.now())
  for (let readsAlone = 0; ; ) {
    const { query } = poll
    const told = await log.hub.next(query, leftMs(), poll.signal)
    const page =
      told ?? (await log.reader.read({ ...query, after: query.after ?? 0n }, poll.signal, endsAtMs))
    poll.take(page)
    if (poll.isAnswered || poll.signal.aborted || leftMs() === 0) return poll.answer
    // Where the hub can't read the log, nothing but time keeps whoever waits from reading it again at once.
    const isLevel = page.through >= page.head.revision
    if (told === undefined && isLevel) {
      await clock.sleep(Math.min(retryDelayMs(++readsAlone, random), leftMs()), poll.signal)
    }
  }
}

/** One client that waits for the next events. */
class Poll implements Waiting {
  readonly range: KeyRange
  readonly request: LongPollRequest
  readonly kind = 'long poll'
  readonly watches = 1
  readonly behind = 0
  readonly lowest = undefined
  readonly unsentEvents = 0
  readonly rights: ReaderRights
  error: EtcdError | undefined
  private readonly done = new AbortController()
  private events: readonly LoggedEvent[] = []
  /** Complete through this revision; undefined: nothing was read yet. */
  private position: bigint | undefined
  private compactRevision: bigint | undefined

  constructor(range: KeyRange, request: LongPollRequest, rights: ReaderRights) {
    this.range = range
    this.request = request
    this.rights = rights
  }

  /** What it waits for now. Without a start, from the revision at which it was asked first. */
  get query(): HubQuery {
    const { range, position } = this
    const { prevKv, startRevision } = this.request
    const asked = startRevision > 0n ? startRevision - 1n : undefined
    const after = position === undefined || (asked !== undefined && asked > position) ? asked : position
    return { range, prevKv, after, fresh: position === undefined && this.rights.areChecked }
  }

  /** Aborts when there is no reason to wait any longer. */
  get signal(): AbortSignal {
    return this.done.signal
  }

  take({ head, through, intactAfter, events }: EventPage): void {
    const { after } = this.query
    const { startRevision } = this.request
    const isTooOld = startRevision > 0n && this.position === undefined && startRevision < head.compactRevision
    if (isTooOld || (after !== undefined && after < intactAfter)) this.compactRevision = head.compactRevision
    this.events = events.filter((event) => isWanted(event, this.request))
    this.position = through
  }

  get isAnswered(): boolean {
    return this.events.length > 0 || this.compactRevision !== undefined
  }

  get answer(): LongPollAnswer {
    const { compactRevision, position: revision = 0n } = this
    if (compactRevision !== undefined) return { revision, compactRevision }
    return { revision, events: this.events.map((event) => eventAnswer(event, this.request)) }
  }

  dismiss(refusalOf: (range: KeyRange) => EtcdError | undefined): void {
    const refusal = refusalOf(this.range)
    if (refusal === undefined) return
    this.error = refusal
    this.end()
  }

  end(): void {
    this.done.abort()
  }
}
