import { EtcdError } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'
import { type Interval, successorOf } from './interval.ts'
import { headAt, type Reader } from './reader.ts'
import type { Statement } from './sql.ts'
import type { StatementFactory } from './statement.ts'
import partSql from './statements/range-part.sql'
import { type Head, type KeyValue, keyValueAt } from './types.ts'

export interface RangePart {
  readonly head: Head
  /** The revision that it shows. */
  readonly revision: bigint
  readonly kvs: KeyValue[]
  /** Where the next part begins; undefined: nothing comes after this one. */
  readonly next: Uint8Array | undefined
}

export interface RangePartOptions {
  /** Which revision to show; 0n: the current one. */
  readonly revision: bigint
  /** No more keys than that; a part has a bound of its own beside. */
  readonly keysMax?: bigint
  /** Whether values are read: by default they are. */
  readonly withValues?: boolean
}

const KEYS_MAX = BigInt(LIMITS.rangePartKeys)
const BYTES_MAX = BigInt(LIMITS.rangePartBytes)

/** Reads ranges of any size in bounded parts, a statement each: nothing in the database waits for a slow reader. */
export class RangeParts {
  readonly #reader: Reader
  readonly #part: Statement

  constructor(reader: Reader, statement: StatementFactory) {
    this.#reader = reader
    this.#part = statement('range part', partSql, ['bytea', 'bytea', 'int8', 'int8', 'int8', 'bool'])
  }

  /**
   * The first keys of an interval, in key order.
   * @throws EtcdError FutureRev, Compacted
   */
  async read({ from, to }: Interval, options: RangePartOptions): Promise<RangePart> {
    const { revision, withValues = true } = options
    const keysMax = options.keysMax !== undefined && options.keysMax < KEYS_MAX ? options.keysMax : KEYS_MAX
    const rows = await this.#reader.long(this.#part, [from, to, revision, keysMax, BYTES_MAX, withValues], 1)
    const head = headAt(rows, 1)
    if (revision > head.revision) throw EtcdError.of('FutureRev')
    if (revision > 0n && revision < head.compactRevision) throw EtcdError.of('Compacted')
    const kvs = rows.slice(1).map((row) => keyValueAt(row, 0))
    const found = rows[0]?.[6] as bigint
    const last = kvs.at(-1)
    const isLast = last === undefined || (BigInt(kvs.length) === found && found < keysMax)
    return {
      head,
      revision: revision > 0n ? revision : head.revision,
      kvs,
      next: isLast ? undefined : successorOf(last.key),
    }
  }
}
