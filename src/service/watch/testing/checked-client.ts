import { create } from '@bufbuild/protobuf'
import { expect } from 'vitest'
import { type WatchRequest, WatchRequestSchema } from '../../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { LoggedEvent } from '../../../store/event-log.ts'
import type { WatchAnswer } from '../answers.ts'
import type { WatchService } from '../index.ts'
import type { MemoryLog } from './memory-log.ts'
import { eventsFor, expectSameEvent, firstRevision, type Wanted } from './wanted.ts'

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
    this.start = firstRevision(log, wanted)
  }

  created(revision: bigint): void {
    this.state = 'created'
    this.start ??= revision + 1n
  }

  /** Every event that it is to see, of all that ever happened. */
  expected(): LoggedEvent[] {
    return eventsFor(this.log, this.wanted, this.start ?? 0n)
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
      expectSameEvent(this.log, this.wanted, event, due)
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

export class CheckedClient {
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

  constructor(log: MemoryLog, service: WatchService, fail: (error: unknown) => void) {
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
