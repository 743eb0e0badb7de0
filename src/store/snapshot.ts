import { EtcdError } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'
import { headAt, type Reader } from './reader.ts'
import type { Statement } from './sql.ts'
import type { StatementFactory } from './statement.ts'
import pageSql from './statements/snapshot-page.sql'
import sizeSql from './statements/snapshot-size.sql'
import { type Head, type KeyValue, keyValueAt } from './types.ts'

/** What a snapshot holds, told before its keys are read. */
export interface SnapshotSize {
  /** The moment that the snapshot is of. */
  readonly head: Head
  readonly keys: bigint
  /** Of all keys and values. */
  readonly bytes: bigint
  /** 16 bytes a lease, id and granted TTL in seconds, both as big-endian int64, by ascending id. */
  readonly leases: Uint8Array
}

const NO_KEY = new Uint8Array(0)

/** Reads the whole store at one revision, a page a statement: nothing in the database waits for whoever reads slowly. */
export class Snapshots {
  readonly #reader: Reader
  readonly #size: Statement
  readonly #page: Statement

  constructor(reader: Reader, statement: StatementFactory) {
    this.#reader = reader
    this.#size = statement('snapshot size', sizeSql, [])
    this.#page = statement('snapshot page', pageSql, ['bytea', 'int8', 'int8', 'int8'])
  }

  /** Chooses the moment. */
  async size(): Promise<SnapshotSize> {
    const rows = await this.#reader.long(this.#size, [])
    const [row] = rows
    return {
      head: headAt(rows),
      keys: row?.[4] as bigint,
      bytes: row?.[5] as bigint,
      leases: row?.[6] as Uint8Array,
    }
  }

  /**
   * All keys as they were at the revision, in key order; never more than a page in memory.
   * @throws EtcdError Compacted, when the revision is compacted meanwhile
   */
  async *keys(revision: bigint): AsyncGenerator<KeyValue> {
    const limits = [BigInt(LIMITS.snapshotKeysPerRead), BigInt(LIMITS.snapshotBytesPerRead)]
    for (let from = NO_KEY; ; ) {
      const rows = await this.#reader.long(this.#page, [from, revision, ...limits], 1)
      if (headAt(rows, 1).compactRevision > revision) throw EtcdError.of('Compacted')
      if (rows.length === 1) return
      for (const row of rows.slice(1)) {
        const kv = keyValueAt(row, 0)
        yield kv
        from = successorOf(kv.key)
      }
    }
  }
}

/** The key right after this one. */
function successorOf(key: Uint8Array): Uint8Array<ArrayBuffer> {
  const successor = new Uint8Array(key.length + 1)
  successor.set(key)
  return successor
}
