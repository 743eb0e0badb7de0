import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { DeleteRangeRequestSchema, TxnRequestSchema } from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import { ManualClock, testEnvironment } from '../service/watch/testing/environment.ts'
import { deleteAnswerKeys, txnAnswerKeys } from './answer-keys.ts'
import { Engine } from './engine.ts'
import { Store } from './store.ts'
import { HeldSql } from './testing/held-sql.ts'

const key = new Uint8Array([1])
const rangeEnd = new Uint8Array([2])
const range = (value: object) => ({ request: { case: 'requestRange' as const, value: { key, ...value } } })
const put = { request: { case: 'requestPut' as const, value: { key, prevKv: true } } }
const txn = (...success: (ReturnType<typeof range> | typeof put)[]) => create(TxnRequestSchema, { success })

describe('the keys of an answer', () => {
  it.each([
    ['a put with what was there, and a key', txn(put, range({})), 2],
    ['so many of a range', txn(range({ rangeEnd, limit: 5n })), 5],
    ['a range', txn(range({ rangeEnd })), Number.POSITIVE_INFINITY],
    ['without values', txn(range({ rangeEnd, keysOnly: true }), range({ rangeEnd, countOnly: true })), 0],
    [
      'a transaction in one',
      create(TxnRequestSchema, {
        failure: [{ request: { case: 'requestTxn', value: txn(range({}), range({})) } }],
      }),
      2,
    ],
  ])('%s', (_, request, keys) => {
    expect(txnAnswerKeys(request)).toBe(keys)
  })

  it('a delete has those that were there, if it is to tell them', () => {
    const deleting = (init: object) => deleteAnswerKeys(create(DeleteRangeRequestSchema, { key, ...init }))
    expect(deleting({ rangeEnd })).toBe(0)
    expect(deleting({ prevKv: true })).toBe(1)
    expect(deleting({ rangeEnd, prevKv: true })).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('a write at a coordinator', () => {
  it('goes there, but not when its answer may be more than can be said from there', async () => {
    const sql = new HeldSql()
    const rpcs: string[] = []
    const coordinator = {
      write: ({ rpc }: { rpc: string }) => {
        rpcs.push(rpc)
        return new Promise<never>(() => {})
      },
    }
    const environment = testEnvironment(new ManualClock())
    const store = new Store(new Engine({ sql, schema: 's', environment, leaseTimer: false, coordinator }))
    const { signal } = new AbortController()
    void store.txn(txn(put, range({})), 1, signal)
    expect(rpcs).toEqual(['Txn'])
    void store.txn(txn(put, range({ rangeEnd })), 1, signal)
    await sql.next()
    void store.deleteRange(create(DeleteRangeRequestSchema, { key, rangeEnd, prevKv: true }), signal)
    expect(rpcs).toEqual(['Txn'])
  })
})
