import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Environment } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import { WatchCreateRequest_FilterType as FilterType } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { followLog } from './follower.ts'
import type { Hub } from './hub.ts'
import { createWatch } from './index.ts'
import { rangeOf } from './key-range.ts'
import { CheckedClient } from './testing/checked-client.ts'
import { ManualClock, testEnvironment } from './testing/environment.ts'
import { bytes, MemoryLog, type Operation } from './testing/memory-log.ts'
import { expectTrueAnswer, firstRevision, type Wanted } from './testing/wanted.ts'

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
  | { readonly type: 'poll'; readonly wanted: Wanted; readonly waitMs: number }
  | { readonly type: 'leave'; readonly stream: number }
  | { readonly type: 'read'; readonly stream: number; readonly messages: number }
  | { readonly type: 'away'; readonly away: boolean }
  | { readonly type: 'lose' }
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
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('poll' as const), wanted, waitMs: fc.nat({ max: 2_000 }) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('read' as const),
      stream,
      messages: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('away' as const), away: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('lose' as const) }) },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant('run' as const), steps: fc.integer({ min: 1, max: 12 }) }),
  },
)

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

/** Where those who wait meet: in the process, nowhere, or at a hub elsewhere, which is lost now and then. */
type Meeting = 'one tail for all' | 'a tail a stream' | 'a hub elsewhere'

/** A hub whose calls are on their way for a while, and fail with it when it is lost. */
function hubElsewhere(events: MemoryLog, environment: Environment, scheduler: fc.Scheduler): LossyHub {
  const interval = { min: 20, max: 100 }
  const { hub } = followLog({ events, environment, interval, shared: true })
  let lost = new AbortController()
  const onTheWay = async <T>(call: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> => {
    const leaving = new AbortController()
    const leave = () => leaving.abort()
    signal.addEventListener('abort', leave, { once: true })
    const losing = lost.signal
    await scheduler.schedule(Promise.resolve(), 'hub asked')
    const away = new Promise<never>((_, reject) => {
      losing.addEventListener('abort', () => reject(EtcdError.of('NoLeader')), { once: true })
    })
    try {
      if (signal.aborted) leave()
      if (losing.aborted) throw EtcdError.of('NoLeader')
      return await Promise.race([away, call(leaving.signal)])
    } finally {
      leave()
      await scheduler.schedule(Promise.resolve(), 'hub answers')
    }
  }
  return {
    next: (query, waitMs, signal) => onTheWay((leaving) => hub.next(query, waitMs, leaving), signal),
    follow: (query, take, signal) =>
      onTheWay(
        (leaving) =>
          hub.follow(
            query,
            async (page) => {
              await scheduler.schedule(Promise.resolve(), 'hub tells')
              await take(page)
            },
            leaving,
          ),
        signal,
      ),
    lose: () => {
      lost.abort()
      lost = new AbortController()
    },
  }
}

type LossyHub = Hub & { lose(): void }

class Simulation {
  private readonly scheduler: fc.Scheduler
  private readonly log = new MemoryLog()
  private readonly service
  private readonly clients = new Map<number, CheckedClient>()
  private readonly hub: LossyHub | undefined
  private polls = 0
  private failure: unknown

  constructor(scheduler: fc.Scheduler, meeting: Meeting) {
    this.scheduler = scheduler
    this.log.revisionsPerRead = 3n
    this.log.latency = (when) => scheduler.schedule(Promise.resolve(), `read ${when}`)
    const environment = testEnvironment(new ScheduledClock(scheduler))
    this.hub = meeting === 'a hub elsewhere' ? hubElsewhere(this.log, environment, scheduler) : undefined
    this.service = createWatch({
      events: this.log,
      access: this.log.access,
      identity: () => Promise.resolve({ clusterId: 1n, memberId: 2n, raftTerm: 3n }),
      environment,
      sharedTail: meeting === 'one tail for all',
      ...(this.hub && { hub: this.hub }),
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
    this.service.close()
    expect(this.service.metrics).toMatchObject({ streams: 0, watchers: 0 })
  }

  private isComplete(): boolean {
    return this.polls === 0 && [...this.clients.values()].every((client) => client.isComplete)
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
      case 'poll':
        this.poll(command)
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
      case 'lose':
        this.hub?.lose()
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

  /** Beside the rest, until it is answered; it may fail when the log couldn't be read in its time. */
  private poll({ wanted, waitMs }: { readonly wanted: Wanted; readonly waitMs: number }): void {
    const asked = { wanted, startRevision: firstRevision(this.log, wanted) ?? 0n, head: this.log.revision }
    const request = { ...wanted, ...wanted.range, startRevision: asked.startRevision, waitMs }
    this.polls++
    this.service
      .longPoll(request, { signal: new AbortController().signal })
      .then((answer) => expectTrueAnswer(this.log, asked, answer))
      .catch((error: unknown) => {
        if (!(error instanceof EtcdError)) this.failure ??= error
      })
      .finally(() => this.polls--)
  }

  private client(index: number): CheckedClient {
    const known = this.clients.get(index)
    if (known !== undefined) return known
    const client = new CheckedClient(this.log, this.service, (error) => {
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
  for (const meeting of ['one tail for all', 'a tail a stream', 'a hub elsewhere'] as const) {
    test(`any schedule, ${meeting}`, async () => {
      const commands = fc.array(command, { minLength: 10, maxLength: 150, size: 'max' })
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), commands, async (scheduler, list) => {
          await new Simulation(scheduler, meeting).run(list)
        }),
        { numRuns: 300, ...(process.env.SEED === undefined ? {} : { seed: Number(process.env.SEED) }) },
      )
    }, 60_000)
  }
})
