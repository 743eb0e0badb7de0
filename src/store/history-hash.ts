import { create, toBinary } from '@bufbuild/protobuf'
import { EtcdError } from '../etcd/errors.ts'
import { KeyValueSchema } from '../etcd/generated/mvccpb/kv_pb.ts'
import { crc32c } from './crc32c.ts'
import { headAt, type Reader } from './reader.ts'
import type { SqlRow, Statement } from './sql.ts'
import type { StatementFactory } from './statement.ts'
import hashPageSql from './statements/hash-page.sql'
import type { Head } from './types.ts'

/** Log rows read by one statement. */
const ROWS_PER_PAGE = 2000n
/** How often the hash is begun again when the store is compacted meanwhile. */
const TRIES_MAX = 5

const BUCKET_NAME = new TextEncoder().encode('key')
const UNDERSCORE = 0x5f
const TOMBSTONE_MARK = 0x74

export interface HashResult {
  readonly head: Head
  readonly hash: number
  readonly compactRevision: bigint
}

/**
 * etcd's HashKV: CRC-32C over the bytes of its key bucket as its history would give them, so that the same history has
 * the same hash in etcd and here. Walks the history, a page a statement.
 */
export class HistoryHash {
  readonly #reader: Reader
  readonly #page: Statement
  readonly #head: () => Promise<Head>

  constructor(reader: Reader, statement: StatementFactory, head: () => Promise<Head>) {
    this.#reader = reader
    this.#head = head
    this.#page = statement('hash page', hashPageSql, ['int8', 'int8', 'int8', 'int8'])
  }

  /**
   * The hash of all changes up to `revision` (0: the current one).
   * @throws EtcdError FutureRev, Compacted
   */
  async hash(revision: bigint): Promise<HashResult> {
    for (let tries = 0; tries < TRIES_MAX; tries++) {
      const result = await this.#attempt(revision)
      if (result !== undefined) return result
    }
    throw EtcdError.of('Timeout')
  }

  /** Undefined when the store was compacted between two pages. */
  async #attempt(revision: bigint): Promise<HashResult | undefined> {
    const first = await this.#head()
    if (revision > first.revision) throw EtcdError.of('FutureRev')
    if (revision > 0n && revision < first.compactRevision) throw EtcdError.of('Compacted')
    // Only 0 is now. Below it etcd hashes a history without changes.
    const upTo = revision === 0n ? first.revision : revision
    let crc = crc32c(BUCKET_NAME, 0)
    let after: readonly [bigint, bigint] = [0n, -1n]
    for (;;) {
      const rows = await this.#reader.long(this.#page, [upTo, after[0], after[1], ROWS_PER_PAGE])
      const head = headAt(rows)
      if (head.compactRevision !== first.compactRevision) return undefined
      for (const row of rows.slice(1)) {
        crc = hashRow(row, crc)
        after = [row[0] as bigint, BigInt(row[4] as number)]
      }
      if (BigInt(rows.length - 1) < ROWS_PER_PAGE) {
        return { head, hash: crc, compactRevision: first.compactRevision }
      }
    }
  }
}

/** The revision key (main, `_`, sub, and `t` for a tombstone), then the record in protobuf. */
function hashRow(row: SqlRow, crc: number): number {
  const deleted = row[5] as boolean
  const key = new Uint8Array(deleted ? 18 : 17)
  const view = new DataView(key.buffer)
  view.setBigInt64(0, row[0] as bigint)
  key[8] = UNDERSCORE
  view.setBigInt64(9, BigInt(row[4] as number))
  if (deleted) key[17] = TOMBSTONE_MARK
  const record = deleted
    ? create(KeyValueSchema, { key: row[6] as Uint8Array })
    : create(KeyValueSchema, {
        key: row[6] as Uint8Array,
        createRevision: row[1] as bigint,
        modRevision: row[0] as bigint,
        version: row[2] as bigint,
        value: row[7] as Uint8Array,
        lease: row[3] as bigint,
      })
  return crc32c(toBinary(KeyValueSchema, record), crc32c(key, crc))
}
