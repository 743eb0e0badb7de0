import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { EtcdError } from '../../etcd/errors.ts'
import {
  WatchCreateRequest_FilterType as FilterType,
  type WatchRequest,
  WatchRequestSchema,
} from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { LIMITS } from '../../etcd/limits.ts'
import type { LoggedEvent } from '../../store/event-log.ts'
import { eventAnswer, isWanted, type WatchAnswer } from './answers.ts'
import { createWatch } from './index.ts'
import { type KeyRange, rangeOf } from './key-range.ts'
import { bytes, inRange, ManualClock, MemoryLog, type Operation, testEnvironment } from './testing.ts'

/*
 * Invariant 7 under a seeded scheduler: whatever the order in which reads begin and end, timers fire, servers write and
 * compact and clients read, each watch sees the events of its range once, in order, whole revisions, none missing; and
 * every header tells the truth. A failure prints fast-check's seed and path.
 */

/** One array for all, so that a buffer of them costs the test nothing. Three of them overflow a stream's buffer. */
const BIG = new Uint8Array(1_500_000)
const KEYS = ['a', 'aa', 'ab', 'b', 'c']
const NO_END = bytes('')
const TICK_MS = 40

interface Wanted {
  readonly range: KeyRange
  /** Relative to the head when the request is made; undefined: from now. */
  readonly start: number | undefined
  readonly filters: FilterType[]
  readonly prevKv: boolean
  readonly fragment: boolean
}

interface Change {
  readonly key: string
  readonly to: 'small' | 'big' | 'nothing'
}

type Command =
  | { readonly type: 'write'; readonly changes: Change[]; readonly quietly: boolean }
  | { readonly type: 'compact'; readonly back: number; readonly sweep: boolean }
  | { readonly type: 'create'; readonly stream: number; readonly wanted: Wanted }
  | { readonly type: 'cancel'; readonly stream: number; readonly watch: number }
  | { readonly type: 'progress'; readonly stream: number }
  | { readonly type: 'leave'; readonly stream: number }
  | { readonly type: 'read'; readonly stream: number; readonly messages: number }
  | { readonly type: 'away'; readonly away: boolean }
  | { readonly type: 'run'; readonly steps: number }

const stream = fc.nat({ max: 2 })
const change: fc.Arbitrary<Change> = fc.record({
  key: fc.constantFrom(...KEYS),
  to: fc.constantFrom('small', 'small', 'small', 'big', 'nothing', 'nothing'),
})
const range = fc.constantFrom(
  rangeOf(bytes('a'), NO_END),
  rangeOf(bytes('c'), NO_END),
  rangeOf(bytes('a'), bytes('b')),
  rangeOf(bytes('aa'), bytes('c')),
  rangeOf(bytes(''), bytes('\0')),
)
const wanted: fc.Arbitrary<Wanted> = fc.record({
  range,
  start: fc.option(fc.integer({ min: -12, max: 4 }), { nil: undefined }),
  filters: fc.subarray([FilterType.NOPUT, FilterType.NODELETE], { maxLength: 1 }),
  prevKv: fc.boolean(),
  fragment: fc.boolean(),
})

function operationOf({ key, to }: Change): Operation {
  switch (to) {
    case 'small':
      return { put: key }
    case 'big':
      return { put: key, value: BIG }
    case 'nothing':
      return { delete: key }
  }
}

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('write' as const),
      changes: fc.uniqueArray(change, { minLength: 1, maxLength: 4, selector: ({ key }) => key }),
      quietly: fc.boolean(),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('compact' as const),
      back: fc.nat({ max: 6 }),
      sweep: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('create' as const), stream, wanted }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('cancel' as const), stream, watch: fc.nat({ max: 3 }) }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('progress' as const), stream }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('leave' as const), stream }) },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('read' as const),
      stream,
      messages: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('away' as const), away: fc.boolean() }) },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('run' as const), steps: fc.integer({ min: 1, max: 12 }) }),
  },
)

/** What a client knows of one watch, checked against the whole truth. */
class WatchCheck {
  readonly wanted: Wanted
  /** The first revision asked for; known at `created` when that is "from now". */
  start: bigint | undefined
  state: 'asked' | 'created' | 'compacted' | 'canceled' = 'asked'
  private readonly log: MemoryLog
  private seen = 0
  private inFragments = false

  constructor(log: MemoryLog, wanted: Wanted) {
    this.log = log
    this.wanted = wanted
    if (wanted.start !== undefined) this.start = log.revision + BigInt(wanted.start)
    if (this.start !== undefined && this.start < 1n) this.start = 1n
  }

  created(revision: bigint): void {
    this.state = 'created'
    this.start ??= revision + 1n
  }

  /** Every event that it is to see, of all that ever happened. */
  expected(): LoggedEvent[] {
    const start = this.start ?? 0n
    return this.log.truth.filter(
      (event) =>
        event.kv.modRevision >= start &&
        inRange(event.kv.key, this.wanted.range) &&
        isWanted(event, this.wanted),
    )
  }

  get isComplete(): boolean {
    if (this.state === 'asked') return false
    return this.state !== 'created' || this.seen === this.expected().length
  }

  receive(answer: WatchAnswer): void {
    expect(this.state).toBe('created')
    const events = answer.events ?? []
    const expected = this.expected()
    for (const event of events) {
      const due = expected[this.seen++]
      expect(due, 'an event that never was, or is not asked for').toBeDefined()
      if (due === undefined) return
      const gone = due.kv.modRevision - 1n < this.log.compactRevision
      const whole = eventAnswer(due, this.wanted)
      expect(event).toEqual(event.prevKv === undefined && gone ? { type: whole.type, kv: whole.kv } : whole)
    }
    this.inFragments = answer.fragment === true
    if (this.inFragments) expect(this.wanted.fragment).toBe(true)
    else this.completeThrough(answer.header?.revision ?? 0n)
    const last = events.at(-1)?.kv?.modRevision
    if (!this.inFragments) expect(answer.header?.revision).toBe(last)
  }

  /** Nothing at or below is still to come; so no revision is split over messages either. */
  completeThrough(revision: bigint): void {
    expect(this.inFragments).toBe(false)
    const next = this.expected()[this.seen]
    if (next !== undefined) expect(next.kv.modRevision).toBeGreaterThan(revision)
  }

  compacted(compactRevision: bigint): void {
    expect(this.state).toBe('created')
    expect(compactRevision).toBeLessThanOrEqual(this.log.compactRevision)
    expect(this.start).toBeLessThan(compactRevision)
    this.state = 'compacted'
  }
}

class ClientCheck {
  readonly watches = new Map<bigint, WatchCheck>()
  /** Reads so many messages more. */
  allowed = 0
  gone = false
  private readonly log: MemoryLog
  private readonly leaving = new AbortController()
  private readonly requests: WatchRequest[] = []
  private readonly asked: WatchCheck[] = []
  private readonly progressAsked: bigint[] = []
  private more: (() => void) | undefined
  private permit: (() => void) | undefined

  constructor(log: MemoryLog, service: ReturnType<typeof createWatch>, fail: (error: unknown) => void) {
    this.log = log
    const answers = service.watch(this.sending(), { signal: this.leaving.signal })
    this.reading(answers).catch(fail)
  }

  create(wanted: Wanted): void {
    const check = new WatchCheck(this.log, wanted)
    this.asked.push(check)
    const { range, start, ...rest } = wanted
    const startRevision = start === undefined ? 0n : (check.start ?? 0n)
    this.send({ requestUnion: { case: 'createRequest', value: { ...rest, ...range, startRevision } } })
  }

  cancel(index: number): void {
    const watchId = [...this.watches.keys()][index]
    if (watchId !== undefined) this.send({ requestUnion: { case: 'cancelRequest', value: { watchId } } })
  }

  progress(): void {
    this.progressAsked.push(this.log.revision)
    this.send({ requestUnion: { case: 'progressRequest', value: {} } })
  }

  read(messages: number): void {
    this.allowed += messages
    this.permit?.()
  }

  leave(): void {
    this.gone = true
    this.leaving.abort()
    this.read(1)
  }

  get isComplete(): boolean {
    return this.asked.length === 0 && [...this.watches.values()].every(({ isComplete }) => isComplete)
  }

  private send(request: Parameters<typeof create<typeof WatchRequestSchema>>[1]): void {
    this.requests.push(create(WatchRequestSchema, request))
    this.more?.()
  }

  private async *sending(): AsyncGenerator<WatchRequest> {
    for (;;) {
      const next = this.requests.shift()
      if (next !== undefined) yield next
      else await new Promise<void>((resolve) => (this.more = resolve))
    }
  }

  private async reading(answers: AsyncIterable<WatchAnswer>): Promise<void> {
    for await (const answer of answers) {
      this.check(answer)
      this.allowed--
      while (this.allowed < 0) await new Promise<void>((resolve) => (this.permit = resolve))
    }
    expect(this.gone, 'the stream ended by itself').toBe(true)
  }

  private check(answer: WatchAnswer): void {
    const revision = answer.header?.revision ?? -1n
    expect(revision).toBeLessThanOrEqual(this.log.revision)
    const watchId = answer.watchId ?? 0n
    if (answer.created === true) {
      const check = this.asked.shift()
      check?.created(revision)
      if (check !== undefined) this.watches.set(watchId, check)
      return
    }
    const watch = this.watches.get(watchId)
    if (answer.compactRevision !== undefined) watch?.compacted(answer.compactRevision)
    else if (answer.canceled === true && watch !== undefined) watch.state = 'canceled'
    else if (answer.events !== undefined) {
      expect(watch).toBeDefined()
      watch?.receive(answer)
    } else this.checkProgress(watchId, revision)
  }

  private checkProgress(watchId: bigint, revision: bigint): void {
    if (watchId === -1n) expect(revision).toBeGreaterThanOrEqual(this.progressAsked[0] ?? -1n)
    for (const [id, watch] of this.watches) {
      const isMeant = watchId === -1n || watchId === id
      if (isMeant && watch.state === 'created') watch.completeThrough(revision)
    }
  }
}

/** Time goes on, a little, only when the scheduler picks its one task. */
class ScheduledClock extends ManualClock {
  private readonly scheduler: fc.Scheduler
  private ticking = false

  constructor(scheduler: fc.Scheduler) {
    super()
    this.scheduler = scheduler
  }

  override sleep(ms: number, signal?: AbortSignal): Promise<void> {
    const sleep = super.sleep(ms, signal)
    this.tick()
    return sleep
  }

  private tick(): void {
    if (this.ticking || this.sleeping === 0) return
    this.ticking = true
    void this.scheduler.schedule(Promise.resolve(), 'time').then(() => {
      this.ticking = false
      this.advance(TICK_MS)
      this.tick()
    })
  }
}

class Simulation {
  private readonly scheduler: fc.Scheduler
  private readonly log = new MemoryLog()
  private readonly service
  private readonly clients = new Map<number, ClientCheck>()
  private failure: unknown

  constructor(scheduler: fc.Scheduler, sharedTail: boolean) {
    this.scheduler = scheduler
    this.log.revisionsPerRead = 3n
    this.log.latency = (when) => scheduler.schedule(Promise.resolve(), `read ${when}`)
    this.service = createWatch({
      events: this.log,
      identity: () => Promise.resolve({ clusterId: 1n, memberId: 2n, raftTerm: 3n }),
      environment: testEnvironment(new ScheduledClock(scheduler)),
      sharedTail,
      pollIntervalMs: { min: 20, max: 100 },
    })
  }

  async run(commands: readonly Command[]): Promise<void> {
    for (const command of commands) {
      await this.do(command)
      if (this.failure !== undefined) throw this.failure
    }
    this.log.isAway = false
    for (const client of this.clients.values()) client.read(1_000_000)
    for (let steps = 0; !this.isComplete(); steps++) {
      if (steps > 5_000) throw new Error('events are missing, and nothing brings them')
      await this.step()
    }
    expect(this.log.readsAtOnceMax).toBeLessThanOrEqual(LIMITS.watchHistoryReadsMax + 4)
    this.service.close()
    expect(this.service.metrics).toMatchObject({ streams: 0, watchers: 0 })
  }

  private isComplete(): boolean {
    return [...this.clients.values()].every((client) => client.isComplete)
  }

  private async do(command: Command): Promise<void> {
    switch (command.type) {
      case 'write':
        this.log.write(command.changes.map(operationOf), { quietly: command.quietly })
        return
      case 'compact':
        this.compact(command)
        return
      case 'create':
        this.client(command.stream).create(command.wanted)
        return
      case 'cancel':
        this.client(command.stream).cancel(command.watch)
        return
      case 'progress':
        this.client(command.stream).progress()
        return
      case 'leave':
        this.client(command.stream).leave()
        this.clients.delete(command.stream)
        return
      case 'read':
        this.client(command.stream).read(command.messages)
        return
      case 'away':
        this.log.isAway = command.away
        return
      case 'run':
        for (let i = 0; i < command.steps; i++) await this.step()
        return
      default:
        command satisfies never
    }
  }

  private compact({ back, sweep }: { readonly back: number; readonly sweep: boolean }): void {
    const revision = this.log.revision - BigInt(back)
    if (revision > this.log.compactRevision && revision > 0n) this.log.compact(revision)
    if (sweep && this.log.compactRevision > 0n) this.log.sweep()
  }

  private client(index: number): ClientCheck {
    const known = this.clients.get(index)
    if (known !== undefined) return known
    const client = new ClientCheck(this.log, this.service, (error) => {
      // A stream that was never answered may fail when the log can't be read in time.
      if (error instanceof EtcdError && client.watches.size === 0) this.clients.delete(index)
      else this.failure ??= error
    })
    this.clients.set(index, client)
    return client
  }

  private async step(): Promise<void> {
    if (this.scheduler.count() > 0) await this.scheduler.waitNext(1)
    else await new Promise<void>((resolve) => setImmediate(resolve))
    if (this.failure !== undefined) throw this.failure
  }
}

describe('invariant 7: ordered, unique, reliable, atomic, resumable, bookmarkable', () => {
  for (const sharedTail of [true, false]) {
    test(`any schedule, ${sharedTail ? 'one tail for all' : 'a tail a stream'}`, async () => {
      const commands = fc.array(command, { minLength: 10, maxLength: 120 })
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), commands, async (scheduler, list) => {
          await new Simulation(scheduler, sharedTail).run(list)
        }),
        { numRuns: 300, ...(process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) }) },
      )
    }, 60_000)
  }
})
