import { LIMITS } from '../etcd/limits.ts'
import type { EventLog, EventPage, EventQuery, LoggedEvent } from './event-log.ts'
import { conditionOf, intervalOf } from './interval.ts'
import { headAt, type Reader } from './reader.ts'
import type { SqlRow } from './sql.ts'
import type { StatementFactory } from './statement.ts'
import eventsSql from './statements/events.sql'
import type { KeyValue } from './types.ts'

const PREVIOUS = {
  // As etcd: the state at the revision before, which is gone once that was compacted. A row that superseded one of its
  // own transaction (a put, then a delete to the end of the keyspace) looks past that one.
  // Lateral, with an offset: whatever the planner thinks of the log's size, it probes the index for each event.
  join: `left join lateral (
           select o.prev_revision, o.prev_sub from :schema.log o
           where l.prev_revision = l.mod_revision and o.mod_revision = l.mod_revision and o.sub = l.prev_sub offset 0
         ) own on true
         left join lateral (
           select o.create_revision, o.mod_revision, o.version, o.lease, o.value from :schema.log o
           where o.mod_revision = coalesce(own.prev_revision, l.prev_revision) and o.sub = coalesce(own.prev_sub, l.prev_sub)
             and l.mod_revision - 1 >= (select h.compact_revision from :schema.head h) offset 0
         ) p on true`,
  columns: 'p.create_revision, p.mod_revision, p.version, p.lease, p.value',
  bytes: 'coalesce(octet_length(p.value), 0)',
}
const NO_PREVIOUS = {
  join: '',
  columns: 'null::bigint, null::bigint, null::bigint, null::bigint, null::bytea',
  bytes: '0',
}

const EVERYTHING = { shape: 'all', condition: 'true', types: [], parameters: [] } as const

const EMPTY = new Uint8Array(0)

function eventOf(row: SqlRow): LoggedEvent {
  const deleted = row[4] === 1n
  const key = row[5] as Uint8Array
  const kv: KeyValue = deleted
    ? { key, createRevision: 0n, modRevision: row[0] as bigint, version: 0n, lease: 0n, value: EMPTY }
    : {
        key,
        createRevision: row[1] as bigint,
        modRevision: row[0] as bigint,
        version: row[2] as bigint,
        lease: row[3] as bigint,
        value: (row[6] as Uint8Array | null) ?? EMPTY,
      }
  const type = deleted ? 'DELETE' : 'PUT'
  // As etcd: a creation has no previous state, not even where the same transaction deleted the key before.
  const created = !deleted && kv.createRevision === kv.modRevision
  if (row[8] === null || created) return { type, kv }
  const prevKv: KeyValue = {
    key,
    createRevision: row[7] as bigint,
    modRevision: row[8] as bigint,
    version: row[9] as bigint,
    lease: row[10] as bigint,
    value: (row[11] as Uint8Array | null) ?? EMPTY,
  }
  return { type, kv, prevKv }
}

/** Reads the event log by SQL; `onWrite` listeners are told by `written`. */
export class SqlEventLog implements EventLog {
  readonly #reader: Reader
  readonly #statement: StatementFactory
  readonly #listeners = new Set<(revision: bigint) => void>()

  constructor(reader: Reader, statement: StatementFactory) {
    this.#reader = reader
    this.#statement = statement
  }

  async read(query: EventQuery): Promise<EventPage> {
    const { range, prevKv } = query
    const { shape, condition, types, parameters } =
      range === undefined ? EVERYTHING : conditionOf(intervalOf(range.key, range.rangeEnd), 'l.key', 4)
    const previous = prevKv ? PREVIOUS : NO_PREVIOUS
    const statement = this.#statement(
      `events ${shape}${prevKv ? ' prev' : ''}`,
      eventsSql,
      ['int8', 'int8', 'int8', ...types],
      {
        interval: condition,
        previous_join: previous.join,
        previous_columns: previous.columns,
        previous_bytes: previous.bytes,
      },
    )
    const rows = await this.#reader.read(statement, [
      query.after,
      BigInt(LIMITS.watchRevisionsPerRead),
      BigInt(LIMITS.watchBytesPerRead),
      ...parameters,
    ])
    const through = rows[0]?.[4] as bigint
    const events: LoggedEvent[] = []
    for (let i = 1; i < rows.length; i++) {
      const row = rows[i]
      if (row !== undefined) events.push(eventOf(row))
    }
    return { head: headAt(rows), through, intactAfter: rows[0]?.[7] as bigint, events }
  }

  onWrite(listener: (revision: bigint) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** This process committed up to `revision`. */
  written(revision: bigint): void {
    for (const listener of this.#listeners) listener(revision)
  }
}
