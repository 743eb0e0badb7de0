import { ETCD_ERRORS, EtcdError, rpcErrorText } from '../../etcd/errors.ts'
import type { WatchCreateRequest, WatchRequest } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { EventPage, LoggedEvent } from '../../store/event-log.ts'
import type { Identity } from '../../store/types.ts'
import { Refusal } from '../auth/caller.ts'
import type { Call } from '../call.ts'
import type { WatchAnswer } from './answers.ts'
import { CatchUp } from './catch-up.ts'
import type { LogAccess, Waiting, WatchContext } from './context.ts'
import { isEmptyRange, type KeyRange, rangeOf } from './key-range.ts'
import { NO_WATCH } from './messages.ts'
import { Outbox } from './outbox.ts'
import { tickProgress } from './progress-ticker.ts'
import { ReaderRights } from './reader-rights.ts'
import { Watch, type WatchOwner } from './watch.ts'

/** As in etcd: a client that sends requests but reads no answers is not read from any more. */
const UNSENT_CONTROLS_MAX = 16

/**
 * One Watch RPC: any number of watches whose answers leave through one outbox, in order. Requests are handled one after
 * another, each answered from a read of the log that began after it came, so what a client wrote before is known.
 */
export class WatchStream implements WatchOwner, Waiting {
  readonly kind = 'stream'
  readonly outbox = new Outbox(LIMITS.watchBufferBytesMax, () => this.sent())
  readonly identity: Identity
  readonly rights: ReaderRights
  error: EtcdError | undefined
  private readonly context: WatchContext
  private readonly log: LogAccess
  private readonly catchUp: CatchUp
  private readonly closing = new AbortController()
  private readonly byId = new Map<bigint, Watch>()
  private nextId = 0n
  private readonly stopAwaitingLeader: (() => void) | undefined
  private answered = false
  private ticking = false
  private resume: (() => void) | undefined

  constructor(context: WatchContext, identity: Identity, call: Call) {
    this.context = context
    this.identity = identity
    this.rights = new ReaderRights(context.access, call)
    this.log = context.openLog()
    this.catchUp = new CatchUp(this.log.reader, {
      signal: this.closing.signal,
      holdsHistory: () => this.outbox.holdsHistory,
      receive: (watch, page) => this.take(watch, page),
      broken: (error) => this.broken(error),
    })
    context.waiting.add(this)
    if (call.requiresLeader === true) {
      this.stopAwaitingLeader = this.log.tail.whileAway((lastsMs) => {
        if (lastsMs >= LIMITS.noLeaderMs) this.fail(EtcdError.of('NoLeader'))
      })
    }
  }

  get watches(): number {
    return this.byId.size
  }

  get behind(): number {
    return this.catchUp.size
  }

  get lowest(): bigint | undefined {
    return this.catchUp.lowest
  }

  get unsentEvents(): number {
    return this.outbox.unsentEvents
  }

  /** Ends after the configured time, if any. */
  limitTime(): void {
    const { streamMaxMs, environment } = this.context
    if (streamMaxMs === undefined) return
    void environment.clock.sleep(streamMaxMs, this.closing.signal).then(() => this.end())
  }

  /**
   * Handles the requests until they end, which doesn't end the stream. A request that can't be read ends them too, as
   * in etcd's gateway: the watches made before it go on.
   */
  async receive(requests: AsyncIterable<WatchRequest>): Promise<void> {
    try {
      for await (const request of requests) {
        if (this.closing.signal.aborted) return
        await this.handle(request)
      }
    } catch (error) {
      this.context.environment.log('debug', 'the requests of a watch stream broke off', { error })
    }
  }

  /** Frees everything, at once. What is unsent is not sent any more; nothing happens when done again. */
  end(): void {
    if (this.closing.signal.aborted) return
    this.closing.abort()
    for (const watch of this.byId.values()) this.detach(watch)
    this.byId.clear()
    this.outbox.end()
    this.stopAwaitingLeader?.()
    this.log.release()
    this.context.waiting.delete(this)
    this.resume?.()
  }

  fail(error: EtcdError): void {
    if (this.closing.signal.aborted) return
    this.error = error
    this.end()
  }

  offerLive(watch: Watch, revision: bigint, events: LoggedEvent[]): boolean {
    if (!this.outbox.hasRoomFor(events)) return false
    this.outbox.push({ kind: 'live', watch, revision, events })
    watch.quiet = false
    return true
  }

  takeBackLive(watch: Watch): bigint | undefined {
    return this.outbox.dropLive(watch)
  }

  fallBehind(watch: Watch): void {
    this.log.tail.unsubscribe(watch)
    this.catchUp.add(watch)
  }

  /** The id stays in use until the client cancels the watch, and the header has no revision: as etcd does it. */
  cancelCompacted(watch: Watch, compactRevision: bigint): void {
    this.answer({ header: this.header(0n), watchId: watch.id, canceled: true, compactRevision })
  }

  /** A watch that may not be any more ends at once: what it has unsent isn't sent. */
  dismiss(refusalOf: (range: KeyRange) => EtcdError | undefined, revision: bigint): void {
    for (const watch of [...this.byId.values()]) {
      const refusal = refusalOf(watch.range)
      if (refusal === undefined) continue
      this.byId.delete(watch.id)
      this.detach(watch)
      this.outbox.dropAll(watch)
      const header = this.header(revision)
      const cancelReason = rpcErrorText(refusal)
      if (watch.announced) this.answer({ header, watchId: watch.id, canceled: true, cancelReason })
      else this.answer({ header, watchId: NO_WATCH, created: true, canceled: true, cancelReason })
    }
  }

  private async handle({ requestUnion: request }: WatchRequest): Promise<void> {
    try {
      switch (request.case) {
        case 'createRequest':
          await this.create(request.value)
          break
        case 'cancelRequest':
          await this.cancel(request.value.watchId)
          break
        case 'progressRequest':
          await this.requestProgress()
          break
        case undefined:
          // etcd answers nothing to a request that asks for nothing.
          break
        default:
          request satisfies never
      }
    } catch (error) {
      this.broken(error)
    }
    while (this.outbox.unsentControls >= UNSENT_CONTROLS_MAX && !this.closing.signal.aborted) {
      await new Promise<void>((resolve) => {
        this.resume = resolve
      })
    }
  }

  private async create(request: WatchCreateRequest): Promise<void> {
    const range = rangeOf(request.key, request.rangeEnd)
    const cancelReason =
      request.startRevision < 0n
        ? ETCD_ERRORS.Compacted[1]
        : ((await this.lackOfPermission(range)) ?? this.refusalOf(request, range))
    if (cancelReason !== undefined) {
      const header = this.header(await this.refresh())
      this.answer({ header, watchId: NO_WATCH, created: true, canceled: true, cancelReason })
      return
    }
    const watch = new Watch({ ...request, id: this.chooseId(request.watchId), range }, this)
    this.byId.set(watch.id, watch)
    if (watch.startRevision === 0n) await this.startNow(watch)
    else await this.startAt(watch)
    if (watch.progressNotify) this.reportProgress()
  }

  /** Why the client may not watch the range; the stream goes on. */
  private async lackOfPermission(range: KeyRange): Promise<string | undefined> {
    try {
      await this.rights.admit(range)
      return undefined
    } catch (error) {
      if (error instanceof Refusal) return rpcErrorText(error)
      throw error
    }
  }

  /** Why etcd refuses the watch, in its words. */
  private refusalOf(request: WatchCreateRequest, range: KeyRange): string | undefined {
    if (isEmptyRange(range)) return 'mvcc: watcher range is empty'
    if (request.watchId !== 0n && this.byId.has(request.watchId)) {
      return 'mvcc: duplicate watch ID provided on the WatchStream'
    }
    return undefined
  }

  private chooseId(asked: bigint): bigint {
    if (asked !== 0n) return asked
    while (this.byId.has(this.nextId)) this.nextId++
    return this.nextId++
  }

  private async startNow(watch: Watch): Promise<void> {
    watch.position = await this.refresh()
    if (!this.isWatching(watch)) return
    this.created(watch, watch.position)
    this.log.tail.subscribe(watch)
  }

  /** One read gives the current revision and the first of the past. */
  private async startAt(watch: Watch): Promise<void> {
    const { range, prevKv, startRevision } = watch
    const query = { after: startRevision - 1n, range, prevKv }
    const page = await this.log.reader.read(query, this.closing.signal, this.giveUpAtMs())
    if (!this.isWatching(watch)) return
    this.created(watch, page.head.revision)
    const { compactRevision } = page.head
    if (startRevision < compactRevision) this.cancelCompacted(watch, compactRevision)
    else if (prevKv && page.events.length > 0) void this.catchUpOnTick(watch)
    else this.take(watch, page)
  }

  /**
   * etcd serves the past on a tick, and looks for the state before a change only then: a compaction that follows the
   * create at once has hidden it by that time. Without prev_kv there is no such difference, and no reason to wait.
   */
  private async catchUpOnTick(watch: Watch): Promise<void> {
    watch.position = watch.startRevision - 1n
    await this.context.environment.clock.sleep(LIMITS.watchCatchUpTickMs, this.closing.signal)
    if (this.isWatching(watch)) this.catchUp.add(watch)
  }

  /** Whether it was neither cancelled nor dismissed meanwhile, and the stream goes on. */
  private isWatching(watch: Watch): boolean {
    return this.byId.get(watch.id) === watch && !this.closing.signal.aborted
  }

  /** Puts out the events of a page that was read for this watch alone, and sends it where it goes on. */
  private take(watch: Watch, page: EventPage): void {
    if (page.head.revision < watch.position) {
      this.fail(EtcdError.of('NoLeader'))
      return
    }
    if (watch.next <= page.intactAfter) {
      this.cancelCompacted(watch, page.head.compactRevision)
      return
    }
    const events = watch.select(page.events)
    const revision = events.at(-1)?.kv.modRevision
    if (revision !== undefined) {
      this.outbox.push({ kind: 'history', watch, revision, events })
      watch.quiet = false
    }
    watch.position = page.through
    if (page.through < page.head.revision) this.catchUp.add(watch)
    else this.log.tail.subscribe(watch)
  }

  /** Events through the revision of the last answer still go out before it, when the watch was in step. */
  private async cancel(id: bigint): Promise<void> {
    if (!this.byId.has(id)) return
    const revision = await this.refresh()
    const watch = this.byId.get(id)
    if (watch === undefined) return
    this.byId.delete(id)
    this.detach(watch)
    this.answer({ header: this.header(revision), watchId: id, canceled: true })
  }

  /** etcd gives no answer when a watch of the stream is not in step, or starts in the future. */
  private async requestProgress(): Promise<void> {
    if (this.byId.size === 0) return
    await this.refresh()
    const revision = this.log.tail.position
    if (revision === undefined) return
    for (const watch of this.byId.values()) if (!this.isInStep(watch, revision)) return
    this.outbox.push({ kind: 'progress', watch: undefined, revision })
  }

  private reportProgress(): void {
    if (this.ticking) return
    this.ticking = true
    void tickProgress(this.context.environment, this.context.progressIntervalMs, this.closing.signal, () => {
      const revision = this.log.tail.position
      for (const watch of this.byId.values()) {
        if (!watch.progressNotify) continue
        const due = watch.quiet && this.outbox.unsentControls < UNSENT_CONTROLS_MAX
        if (due && revision !== undefined && this.isInStep(watch, revision)) {
          this.outbox.push({ kind: 'progress', watch, revision })
        }
        watch.quiet = true
      }
    })
  }

  private isInStep(watch: Watch, revision: bigint): boolean {
    return this.log.tail.isInStep(watch) && watch.startRevision <= revision
  }

  private created(watch: Watch, revision: bigint): void {
    watch.announced = true
    this.answer({ header: this.header(revision), watchId: watch.id, created: true })
  }

  private answer(answer: WatchAnswer): void {
    this.answered = true
    this.outbox.push({ kind: 'control', answer })
  }

  /** The store's revision, from a read that begins now. */
  private refresh(): Promise<bigint> {
    return this.log.tail.refresh(this.closing.signal, this.giveUpAtMs())
  }

  /** A stream that was never answered fails in time, so that its client can try another server; others wait. */
  private giveUpAtMs(): number | undefined {
    return this.answered ? undefined : this.context.environment.clock.now() + LIMITS.requestTimeoutMs
  }

  private header(revision: bigint): Identity & { readonly revision: bigint } {
    return { ...this.identity, revision }
  }

  private detach(watch: Watch): void {
    this.log.tail.unsubscribe(watch)
    this.catchUp.remove(watch)
  }

  private broken(error: unknown): void {
    this.fail(error instanceof EtcdError ? error : EtcdError.of('Stopped', error))
  }

  private sent(): void {
    this.resume?.()
    this.catchUp.proceed()
  }
}
