import { create, type MessageInitShape } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type RequestOpSchema, TxnRequestSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { compileTxn } from './compile.ts'
import { Instruction, RefusedBy } from './instruction.ts'
import { Program } from './program.ts'

type Txn = MessageInitShape<typeof TxnRequestSchema>
type Operation = MessageInitShape<typeof RequestOpSchema>

const key = fc.uint8Array({ minLength: 1, maxLength: 2 })
const put = fc.record({ key, value: key, lease: fc.constantFrom(0n, 7n), prevKv: fc.boolean() })
const deletion = fc.record({ key, prevKv: fc.boolean() })
const range = fc.record({ key, revision: fc.constantFrom(0n, 3n) })

const { txn } = fc.letrec<{ operation: Operation; txn: Txn }>((tie) => ({
  operation: fc.oneof(
    { maxDepth: 3 },
    put.map((value): Operation => ({ request: { case: 'requestPut', value } })),
    deletion.map((value): Operation => ({ request: { case: 'requestDeleteRange', value } })),
    range.map((value): Operation => ({ request: { case: 'requestRange', value } })),
    tie('txn').map((value): Operation => ({ request: { case: 'requestTxn', value } })),
  ),
  txn: fc.record({
    compare: fc.array(fc.record({ key }), { maxLength: 2 }),
    success: fc.array(tie('operation'), { maxLength: 3 }),
    failure: fc.array(tie('operation'), { maxLength: 3 }),
  }),
}))

describe('a program that is appended to another (invariant 4)', () => {
  it('is the same as if it had been compiled there, jumps included', () => {
    fc.assert(
      fc.property(fc.nat({ max: 5 }), fc.array(txn, { minLength: 1, maxLength: 3 }), (before, txns) => {
        const here = new Program()
        const appended = new Program()
        for (const program of [here, appended]) {
          for (let i = 0; i < before; i++) program.add(Instruction.Mark)
        }
        for (const init of txns) {
          const message = create(TxnRequestSchema, init)
          here.request(4n, RefusedBy.Corrupt, () => compileTxn(here, message))
          const alone = new Program()
          compileTxn(alone, message)
          appended.request(4n, RefusedBy.Corrupt, () => appended.append(alone.parameters()))
        }
        expect(appended.parameters()).toEqual(here.parameters())
      }),
    )
  })
})
