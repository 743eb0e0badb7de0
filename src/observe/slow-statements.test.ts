import { readdirSync } from 'node:fs'
import { describe, expect, it, test } from 'vitest'
import type { LogLevel } from '../environment.ts'
import { Auth, Cluster, KV, Lease, Maintenance, Watch } from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import { rpcOf } from '../store/rpc-of.ts'
import { SlowStatements } from './slow-statements.ts'

function setUp(thresholdMs = 100) {
  const lines: { level: LogLevel; message: string; fields: unknown }[] = []
  let counted = 0
  const slow = new SlowStatements(
    thresholdMs,
    (level, message, fields) => lines.push({ level, message, fields }),
    { add: (amount) => (counted += amount) },
  )
  return { slow, lines, counted: () => counted }
}

const statement = (name: string) => ({ name, text: '', types: [] })

describe('a slow statement', () => {
  it('is logged with the RPC that it was run for', () => {
    const { slow, lines, counted } = setUp()
    slow.statement(statement('range one'), 99.9)
    slow.statement(statement('range one'), 1234.56)
    expect(lines).toEqual([
      {
        level: 'warn',
        message: 'a statement took too long',
        fields: {
          took: '1234.6ms',
          'expected-duration': '100ms',
          statement: 'range one',
          rpcs: { Range: 1 },
        },
      },
    ])
    expect(counted()).toBe(1)
  })

  it('that is a batch, with how many there were of each', () => {
    const { slow, lines } = setUp()
    const requests = ['Put', 'Txn', 'Put'].map((rpc) => ({ rpc, bytes: 5 }))
    slow.statement(statement('apply'), 500)
    slow.batch({ requests, tookMs: 500 })
    expect(lines.map(({ fields }) => fields)).toMatchObject([
      { statement: 'apply', rpcs: { Put: 2, Txn: 1 } },
    ])
  })

  it('is none without a threshold', () => {
    const { slow, lines } = setUp(0)
    slow.statement(statement('status'), 1e6)
    expect(lines).toEqual([])
  })
})

test('every statement is of an RPC of etcd’s, or of none', () => {
  const rpcs = [KV, Lease, Watch, Cluster, Maintenance, Auth].flatMap(({ methods }) =>
    methods.map(({ name }) => name),
  )
  const files = readdirSync(new URL('../store/statements', import.meta.url))
  const names = files.map((file) =>
    file.replace('.sql', '').replace('keep-alive', 'keep alive').replaceAll('-', ' '),
  )
  const strange = names.filter((name) => !rpcs.includes(rpcOf(name)))
  expect(strange).toEqual(['apply', 'auth rights', 'quota', 'recover'])
})
