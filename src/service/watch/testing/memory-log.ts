import { bytesToString } from '../../../byte-string.ts'
import { EtcdError } from '../../../etcd/errors.ts'
import type { EventLog, EventPage, EventQuery, LoggedEvent } from '../../../store/event-log.ts'
import type { KeyValue } from '../../../store/types.ts'
import { isSingleKey, type KeyRange, reachesTheEnd } from '../key-range.ts'
import { MemoryAccess } from './access.ts'

export const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

export type Operation = { readonly put: string; readonly value?: Uint8Array } | { readonly delete: string }

const NOTHING = new Uint8Array(0)

export function inRange(key: Uint8Array, range: KeyRange): boolean {
  const [name, from] = [bytesToString(key), bytesToString(range.key)]
  if (isSingleKey(range)) return name === from
  return from <= name && (reachesTheEnd(range) || name < bytesToString(range.rangeEnd))
}

/** The store in memory: a log that is compacted and swept as the real one is, and the whole truth beside it. */
export class MemoryLog implements EventLog {
  /** The rights beside it. */
  readonly access = new MemoryAccess()
  /** Every event that ever happened, with its previous value. */
  readonly truth: LoggedEvent[] = []
  revision = 1n
  compactRevision = -1n
  sweptThrough = 0n
  revisionsPerRead = 1000n
  /** Fails reads while it is true. */
  isAway = false
  reads = 0
  readsAtOnceMax = 0
  queries: EventQuery[] = []
  /** What a read waits for before its snapshot and after it. */
  latency: (when: 'before' | 'after') => Promise<void> = () => Promise.resolve()
  private readsAtOnce = 0
  private readonly present = new Map<string, KeyValue>()
  private readonly removed = new Set<LoggedEvent>()
  private readonly listeners = new Set<(revision: bigint) => void>()

  get listenerCount(): number {
    return this.listeners.size
  }

  put(key: string, value = 'v'): bigint {
    return this.write([{ put: key, value: bytes(value) }])
  }

  delete(key: string): bigint {
    return this.write([{ delete: key }])
  }

  /** One transaction. `quietly`: another server's, so nobody here is told. */
  write(operations: readonly Operation[], { quietly = false } = {}): bigint {
    const events: LoggedEvent[] = []
    for (const operation of operations) {
      const event = this.apply(operation)
      if (event !== undefined) events.push(event)
    }
    if (events.length === 0) return this.revision
    this.revision++
    this.truth.push(...events)
    if (!quietly) for (const listener of this.listeners) listener(this.revision)
    return this.revision
  }

  compact(revision: bigint): void {
    this.compactRevision = revision
  }

  /** Removes what compaction made unreachable, as far as `through`. */
  sweep(through = this.compactRevision): void {
    this.sweptThrough = through
    const newer = new Set<string>()
    for (const event of [...this.truth].reverse()) {
      if (event.kv.modRevision > through) continue
      const key = bytesToString(event.kv.key)
      const deadTombstone = event.type === 'DELETE' && event.kv.modRevision < this.compactRevision
      if (newer.has(key) || deadTombstone) this.removed.add(event)
      newer.add(key)
    }
  }

  async read(query: EventQuery): Promise<EventPage> {
    this.reads++
    this.readsAtOnce++
    this.readsAtOnceMax = Math.max(this.readsAtOnceMax, this.readsAtOnce)
    this.queries.push(query)
    try {
      await this.latency('before')
      const page = this.pageOf(query)
      await this.latency('after')
      if (this.isAway) throw EtcdError.of('NoLeader')
      return page
    } finally {
      this.readsAtOnce--
    }
  }

  onWrite(listener: (revision: bigint) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  private pageOf({ after, range, prevKv }: EventQuery): EventPage {
    const limit = after + this.revisionsPerRead
    const through = limit < this.revision ? limit : this.revision
    const found = this.truth.filter(
      (event) =>
        event.kv.modRevision > after &&
        event.kv.modRevision <= through &&
        !this.removed.has(event) &&
        (range === undefined || inRange(event.kv.key, range)),
    )
    const fullyIntact = this.compactRevision - 1n
    return {
      head: {
        revision: this.revision,
        compactRevision: this.compactRevision,
        authVersion: this.access.authVersion,
      },
      through,
      intactAfter: this.sweptThrough < fullyIntact ? this.sweptThrough : fullyIntact,
      events: found.map((event) => this.shown(event, prevKv)),
    }
  }

  private shown({ type, kv, prevKv }: LoggedEvent, asked: boolean): LoggedEvent {
    const isGone = prevKv === undefined || kv.modRevision - 1n < this.compactRevision
    return asked && !isGone ? { type, kv, prevKv } : { type, kv }
  }

  private apply(operation: Operation): LoggedEvent | undefined {
    const modRevision = this.revision + 1n
    const name = 'put' in operation ? operation.put : operation.delete
    const before = this.present.get(name)
    const key = bytes(name)
    const previous = before === undefined ? {} : { prevKv: before }
    if ('put' in operation) {
      const kv: KeyValue = {
        key,
        createRevision: before?.createRevision ?? modRevision,
        modRevision,
        version: (before?.version ?? 0n) + 1n,
        value: operation.value ?? bytes('v'),
        lease: 0n,
      }
      this.present.set(name, kv)
      return { type: 'PUT', kv, ...previous }
    }
    if (before === undefined) return undefined
    this.present.delete(name)
    const kv = { key, createRevision: 0n, modRevision, version: 0n, value: NOTHING, lease: 0n }
    return { type: 'DELETE', kv, ...previous }
  }
}
