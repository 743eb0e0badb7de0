import { TO_THE_END } from './interval.ts'
import type { RangePart, RangeParts } from './range-parts.ts'
import { headAt, type Reader } from './reader.ts'
import type { Statement } from './sql.ts'
import type { StatementFactory } from './statement.ts'
import sizeSql from './statements/snapshot-size.sql'
import type { Head, KeyValue } from './types.ts'

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

/** Reads the whole store at one revision, part by part. */
export class Snapshots {
  readonly #reader: Reader
  readonly #size: Statement
  readonly #parts: RangeParts

  constructor(reader: Reader, statement: StatementFactory, parts: RangeParts) {
    this.#reader = reader
    this.#size = statement('snapshot size', sizeSql, [])
    this.#parts = parts
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
   * A part of the keys as they were at the revision, from this one on.
   * @throws EtcdError Compacted, when the revision is compacted meanwhile
   */
  part(from: Uint8Array, revision: bigint): Promise<RangePart> {
    return this.#parts.read({ from, to: TO_THE_END }, { revision })
  }
}

/** All keys, in key order, of which `part` reads a part from a key on; never more than a part in memory. */
export async function* keysOf(part: (from: Uint8Array) => Promise<RangePart>): AsyncGenerator<KeyValue> {
  for (let from: Uint8Array | undefined = NO_KEY; from !== undefined; ) {
    const { kvs, next }: RangePart = await part(from)
    yield* kvs
    from = next
  }
}
