import { EtcdError } from '../etcd/errors.ts'
import {
  type RangeRequest,
  RangeRequest_SortOrder as SortOrder,
  RangeRequest_SortTarget as SortTarget,
} from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import { conditionOf, intervalOf } from './interval.ts'
import { headAt, type Reader } from './reader.ts'
import { boundedLimit, cut, hasFilters, isSorted, limitBeforeSort, needsValues } from './select.ts'
import type { SqlRow } from './sql.ts'
import type { StatementFactory } from './statement.ts'
import rangeSql from './statements/range.sql'
import rangeCountSql from './statements/range-count.sql'
import rangePageSql from './statements/range-page.sql'
import rangeSortedSql from './statements/range-sorted.sql'
import { type Head, type KeyValue, keyValueAt } from './types.ts'

export interface RangeResult {
  readonly head: Head
  readonly kvs: KeyValue[]
  readonly count: bigint
  readonly more: boolean
}

const VALUE =
  'coalesce(kv.value, (select l.value from :schema.log l where l.mod_revision = kv.mod_revision and l.sub = kv.sub))'
const NO_VALUE = 'null::bytea'

const COLUMNS: Readonly<Record<SortTarget, string>> = {
  [SortTarget.KEY]: 'kv.key',
  [SortTarget.VERSION]: 'kv.version',
  [SortTarget.CREATE]: 'kv.create_revision',
  [SortTarget.MOD]: 'kv.mod_revision',
  [SortTarget.VALUE]: 'kv.value',
}

/** Beyond this many keys asked for, a range travels beside the pipeline of short reads. */
export const SHORT_RANGE_KEYS_MAX = 500n

/** How many keys a range gives at most; more than any store has when nothing bounds it. */
export function keysAtMost(request: RangeRequest): bigint {
  if (request.rangeEnd.length === 0) return 1n
  return limitBeforeSort(request) ?? 2n ** 62n
}

/**
 * KV.Range over the store, whole or in part, now or in the past: one statement, whose text depends on the shape of the
 * request only. Each text is made when it is first needed.
 */
export class RangeReader {
  readonly #reader: Reader
  readonly #statement: StatementFactory

  constructor(reader: Reader, statement: StatementFactory) {
    this.#reader = reader
    this.#statement = statement
  }

  /**
   * Answers a Range that has passed etcd's shape checks.
   * @throws EtcdError FutureRev, Compacted, or that the database is away
   */
  range(request: RangeRequest): Promise<RangeResult> {
    const past = request.revision > 0n
    if (request.countOnly) return this.#count(request, past)
    if (past || isSorted(request) || hasFilters(request)) return this.#sorted(request)
    return this.#present(request)
  }

  async #present(request: RangeRequest): Promise<RangeResult> {
    const { shape, condition, types, parameters } = conditionOf(
      intervalOf(request.key, request.rangeEnd),
      'kv.key',
      1,
    )
    const fragments = { interval: condition, value: request.keysOnly ? NO_VALUE : VALUE }
    const name = `range ${shape}${request.keysOnly ? ' keys' : ''}`
    const limit = shape === 'one' ? undefined : limitBeforeSort(request)
    if (limit === undefined) {
      const statement = this.#statement(name, rangeSql, types, fragments)
      const rows = await this.#reader[shape === 'one' ? 'read' : 'long'](statement, parameters, 1)
      return this.#result(request, rows)
    }
    const statement = this.#statement(`${name} page`, rangePageSql, [...types, 'int8'], {
      ...fragments,
      limit: `$${types.length + 1}`,
    })
    const lane = limit <= SHORT_RANGE_KEYS_MAX ? 'read' : 'long'
    return this.#result(request, await this.#reader[lane](statement, [...parameters, limit], 1))
  }

  async #count(request: RangeRequest, past: boolean): Promise<RangeResult> {
    const interval = intervalOf(request.key, request.rangeEnd)
    if (past) {
      const statement = this.#statement('count at', rangeCountSql, ['bytea', 'bytea', 'int8'], {
        count: ':schema.range_count($1, $2, $3)',
      })
      const parameters = [interval.from, interval.to, request.revision]
      return this.#result(request, await this.#reader.long(statement, parameters, 1))
    }
    const { shape, condition, types, parameters } = conditionOf(interval, 'kv.key', 1)
    const statement = this.#statement(`count ${shape}`, rangeCountSql, types, {
      count: `(select count(*) from :schema.kv where ${condition})`,
    })
    return this.#result(request, await this.#reader.long(statement, parameters, 1))
  }

  async #sorted(request: RangeRequest): Promise<RangeResult> {
    const interval = intervalOf(request.key, request.rangeEnd)
    const cutFirst = limitBeforeSort(request) !== undefined
    const values = needsValues(request)
    const direction = request.sortOrder === SortOrder.DESCEND ? 'desc' : 'asc'
    const order =
      request.sortTarget === SortTarget.KEY
        ? `kv.key ${direction}`
        : `${COLUMNS[request.sortTarget]} ${direction}, kv.key`
    const name = `range sorted ${SortTarget[request.sortTarget]} ${direction}${cutFirst ? ' cut' : ''}${values ? '' : ' keys'}`
    const statement = this.#statement(
      name,
      rangeSortedSql,
      ['bytea', 'bytea', 'int8', 'int8', 'int8', 'int8', 'int8', 'int8'],
      {
        order,
        with_value: String(values),
        value: values ? 'kv.value' : NO_VALUE,
        pushed_limit: cutFirst ? '$8' : 'null',
        total: cutFirst
          ? 'case when (select count(*) from found) = $8 then :schema.range_count($1, $2, $3) end'
          : '(select count(*) from found)',
      },
    )
    const off = (revision: bigint): bigint | null => (revision === 0n ? null : revision)
    const rows = await this.#reader.long(
      statement,
      [
        interval.from,
        interval.to,
        request.revision > 0n ? request.revision : 0n,
        off(request.minModRevision),
        off(request.maxModRevision),
        off(request.minCreateRevision),
        off(request.maxCreateRevision),
        request.limit > 0n ? boundedLimit(request) + 1n : null,
      ],
      1,
    )
    return this.#result(request, rows)
  }

  #result(request: RangeRequest, rows: readonly SqlRow[]): RangeResult {
    const head = headAt(rows, 1)
    if (request.revision > head.revision) throw EtcdError.of('FutureRev')
    if (request.revision > 0n && request.revision < head.compactRevision) throw EtcdError.of('Compacted')
    const kvs: KeyValue[] = []
    for (let i = 1; i < rows.length; i++) {
      const row = rows[i]
      if (row === undefined) continue
      kvs.push(keyValueAt(row, 0))
    }
    const counted = rows[0]?.[6] as bigint | null | undefined
    return { head, count: counted ?? BigInt(kvs.length), ...cut(request, kvs) }
  }
}
