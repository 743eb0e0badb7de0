import { describe, expect, it } from 'vitest'
import { NEVER } from '../never.ts'
import { ManualClock, settled, testEnvironment } from '../service/watch/testing/environment.ts'
import { CoordinatedWrites, runCompiled, type WriteCoordinator } from './coordinated-writes.ts'
import { Instruction, Outcome, RefusedBy } from './program/instruction.ts'
import { stepResult } from './program/results.ts'
import { statementFactory } from './statement.ts'
import { HeldSql } from './testing/held-sql.ts'
import { WriteQueue, type Writes } from './write-queue.ts'

const IN_DOUBT = 'etcdserver: request timed out, possibly due to connection lost'

function setUp(coordinatorOf?: (queue: Writes) => WriteCoordinator) {
  const sql = new HeldSql()
  const clock = new ManualClock()
  const environment = testEnvironment(clock)
  const queue = new WriteQueue({ sql, statement: statementFactory('s'), environment, committed: () => {} })
  const coordinator = coordinatorOf?.(queue) ?? { write: (write) => runCompiled(queue, write) }
  const committed: bigint[] = []
  const front = () =>
    new CoordinatedWrites({ coordinator, environment, committed: ({ revision }) => committed.push(revision) })
  /** Each from a process of its own, an instruction a number; gives the revisions that these were answered with. */
  const write = (numbers: readonly bigint[], signal = NEVER, writes: Writes = front()) =>
    writes
      .write(
        {
          rpc: 'Txn',
          authVersion: -1n,
          refusedBy: RefusedBy.None,
          operations: numbers.length,
          bytes: 1,
          compile(program) {
            const marks = numbers.map((number) => program.add(Instruction.Mark, { number }))
            return (steps) => marks.map((mark) => stepResult(steps, mark).revision)
          },
        },
        signal,
      )
      .catch((error: Error) => error.message)
  return { sql, clock, front, write, committed }
}

describe('writes at a coordinator (invariants 4 and 10)', () => {
  it('travel together, and each is given the steps of its own', async () => {
    const { sql, write, committed } = setUp()
    const answers = [write([1n, 2n]), write([3n]), write([4n, 5n, 6n])]
    const statement = await sql.next()
    expect(statement.members).toEqual([1, 2, 3, 4, 5, 6])
    statement.commit()
    const revisions = await Promise.all(answers)
    expect(revisions.map((each) => each.length)).toEqual([2, 1, 3])
    expect(new Set(revisions.flat()).size).toBeGreaterThan(1)
    expect(committed).toHaveLength(3)
  })

  it("one that is refused has its own error, and is nobody else's", async () => {
    const { sql, write } = setUp()
    const answers = [write([1n]), write([2n])]
    const statement = await sql.next()
    statement.commit({ 1: Outcome.LeaseNotFound })
    expect(await answers[0]).toBe('etcdserver: requested lease not found')
    expect(await answers[1]).toHaveLength(1)
  })

  it('a coordinator that is lost leaves the outcome unknown, and nothing is sent again', async () => {
    let calls = 0
    const { write } = setUp(() => ({
      write: () => {
        calls++
        return Promise.reject(new Error('the object was reset'))
      },
    }))
    expect(await write([1n])).toBe(IN_DOUBT)
    expect(calls).toBe(1)
  })

  it('so does one that never answers', async () => {
    const { clock, write } = setUp(() => ({ write: () => new Promise(() => {}) }))
    const answer = write([1n])
    await settled()
    await clock.pass(20_000)
    expect(await answer).toBe(IN_DOUBT)
    expect(clock.sleeping).toBe(0)
  })

  it('whoever has gone already sends nothing; whoever goes later takes nothing back', async () => {
    const { sql, write, committed } = setUp()
    const gone = new AbortController()
    gone.abort()
    expect(await write([1n], gone.signal)).toBe('context canceled')
    const leaving = new AbortController()
    const answer = write([2n], leaving.signal)
    const statement = await sql.next()
    leaving.abort()
    statement.commit()
    expect(await answer).toHaveLength(1)
    expect(committed).toHaveLength(1)
  })

  it('stopping ends when what was accepted has been answered, and refuses what comes after', async () => {
    const { sql, front, write } = setUp()
    const writes = front()
    const accepted = write([1n], NEVER, writes)
    const statement = await sql.next()
    let isStopped = false
    const stopped = writes.stop().then(() => {
      isStopped = true
    })
    expect(await write([2n], NEVER, writes)).toBe('etcdserver: server stopped')
    expect(isStopped).toBe(false)
    statement.commit()
    expect(await accepted).toHaveLength(1)
    await stopped
  })
})
