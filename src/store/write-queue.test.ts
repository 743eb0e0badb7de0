import { describe, expect, it } from 'vitest'
import { LIMITS } from '../etcd/limits.ts'
import { NEVER } from '../never.ts'
import { ManualClock, settled, testEnvironment } from '../service/watch/testing/environment.ts'
import { Instruction, Outcome, RefusedBy } from './program/instruction.ts'
import { stepResult } from './program/results.ts'
import { SqlError } from './sql.ts'
import { statementFactory } from './statement.ts'
import { HeldSql } from './testing/held-sql.ts'
import { WriteQueue } from './write-queue.ts'

function setUp({ queueBytesMax }: { queueBytesMax?: number } = {}) {
  const sql = new HeldSql()
  const clock = new ManualClock()
  const committed: bigint[] = []
  const batched: number[] = []
  const queue = new WriteQueue({
    sql,
    statement: statementFactory('s'),
    environment: testEnvironment(clock),
    queueBytesMax,
    committed: ({ revision }) => committed.push(revision),
    batched: ({ requests }) => batched.push(requests.length),
  })
  /** Writes as the member of this number; gives the revision it was answered with, or the error's text. */
  const write = (
    member: number,
    options: { signal?: AbortSignal; bytes?: number; operations?: number } = {},
  ) =>
    queue
      .write(
        {
          rpc: 'Put',
          authVersion: -1n,
          refusedBy: RefusedBy.None,
          operations: options.operations ?? 1,
          bytes: options.bytes ?? 1,
          compile(program) {
            const step = program.add(Instruction.Mark, { number: BigInt(member) })
            return (steps) => Number(stepResult(steps, step).revision)
          },
        },
        options.signal ?? NEVER,
      )
      .catch((error: Error) => error.message)
  return { sql, clock, queue, write, committed, batched }
}

const failed = (sqlstate: string) => new SqlError('failed', `refused with ${sqlstate}`, { sqlstate })
const LATE = 'etcdserver: request timed out'
const IN_DOUBT = 'etcdserver: request timed out, possibly due to connection lost'

describe('batches (invariant 4)', () => {
  it('requests of one turn share a statement, those that arrive while it is under way share the next', async () => {
    const { sql, write, committed, batched } = setUp()
    const first = [write(1), write(2)]
    const one = await sql.next()
    const second = [write(3), write(4), write(5)]
    await settled()
    expect(sql.sent).toHaveLength(1)
    one.commit()
    expect(await Promise.all(first)).toEqual([2, 3])
    const two = await sql.next()
    two.commit()
    expect(await Promise.all(second)).toEqual([4, 5, 6])
    expect([one.members, two.members]).toEqual([
      [1, 2],
      [3, 4, 5],
    ])
    expect(committed).toEqual([3n, 6n])
    expect(batched).toEqual([2, 3])
  })

  it("each member gets its own answer, and its own error, which is nobody else's", async () => {
    const { sql, write } = setUp()
    const answers = [write(1), write(2), write(3), write(4)]
    const batch = await sql.next()
    batch.commit({ 2: Outcome.LeaseNotFound, 4: Outcome.Compacted })
    expect(await Promise.all(answers)).toEqual([
      2,
      'etcdserver: requested lease not found',
      3,
      'etcdserver: mvcc: required revision has been compacted',
    ])
    expect(sql.sent).toHaveLength(1)
  })

  it('a batch has at most so many requests', async () => {
    const { sql, write } = setUp()
    for (let member = 0; member <= LIMITS.batchRequestsMax; member++) void write(member)
    const batch = await sql.next()
    expect(batch.members).toHaveLength(LIMITS.batchRequestsMax)
    batch.commit()
    expect((await sql.next()).members).toEqual([LIMITS.batchRequestsMax])
  })

  it.each([
    ['bytes', { bytes: LIMITS.batchBytesMax / 2 }],
    ['operations', { operations: LIMITS.batchOperationsMax / 2 }],
  ])('a batch has at most so many %s', async (_, half) => {
    const { sql, write } = setUp()
    for (const member of [1, 2, 3]) void write(member, half)
    const batch = await sql.next()
    expect(batch.members).toEqual([1, 2])
    batch.commit()
    expect((await sql.next()).members).toEqual([3])
  })

  it('a request that is larger than any batch may be goes alone', async () => {
    const { sql, write } = setUp()
    for (const member of [1, 2]) void write(member, { bytes: LIMITS.batchBytesMax + 1 })
    const batch = await sql.next()
    expect(batch.members).toEqual([1])
    batch.commit()
    expect((await sql.next()).members).toEqual([2])
  })

  it('refuses more bytes than may wait, until some of them have gone', async () => {
    const { sql, write } = setUp({ queueBytesMax: 100 })
    void write(1)
    const batch = await sql.next()
    const waiting = write(2, { bytes: 100 })
    expect(await write(3)).toBe('etcdserver: too many requests')
    batch.commit()
    const next = await sql.next()
    void write(4, { bytes: 100 })
    next.commit()
    expect(await waiting).toBe(3)
    expect((await sql.next()).members).toEqual([4])
  })

  it('one more than may wait is refused with `too many requests`, and those that wait are not', async () => {
    const { sql, write } = setUp()
    void write(0)
    const batch = await sql.next()
    for (let member = 1; member <= LIMITS.batchQueueMax; member++) void write(member)
    expect(await write(-1)).toBe('etcdserver: too many requests')
    batch.commit()
    expect((await sql.next()).members[0]).toBe(1)
  })
})

describe('what a failed statement means to its members (invariant 10)', () => {
  it('an error of the database that one member caused fails that one only: they run again one by one', async () => {
    const { sql, write } = setUp()
    const answers = [write(1), write(2), write(3)]
    ;(await sql.next()).fail(failed('22021'))
    for (const member of [1, 2, 3]) {
      const alone = await sql.next()
      expect(alone.members).toEqual([member])
      if (member === 2) alone.fail(failed('22021'))
      else alone.commit()
    }
    expect(await Promise.all(answers)).toEqual([
      2,
      'etcdserver: the database refused a statement (SQLSTATE 22021)',
      3,
    ])
    expect(sql.sent).toHaveLength(4)
  })

  it('a member whose caller went away meanwhile is left out when they run one by one', async () => {
    const { sql, write } = setUp()
    const gone = new AbortController()
    const answers = [write(1), write(2, { signal: gone.signal }), write(3)]
    ;(await sql.next()).fail(failed('22021'))
    const first = await sql.next()
    gone.abort()
    first.commit()
    const third = await sql.next()
    expect(third.members).toEqual([3])
    third.commit()
    expect(await Promise.all(answers)).toEqual([2, 'context canceled', 3])
  })

  it.each([
    ['57014', LATE],
    ['53100', 'etcdserver: mvcc: database space exceeded'],
    ['53200', 'etcdserver: no leader'],
    ['53300', 'etcdserver: no leader'],
    ['25006', 'etcdserver: no leader'],
  ])('%s is no member’s fault: all are told, and nothing is sent again', async (sqlstate, told) => {
    const { sql, write } = setUp()
    const answers = [write(1), write(2)]
    ;(await sql.next()).fail(failed(sqlstate))
    expect(await Promise.all(answers)).toEqual([told, told])
    expect(sql.sent).toHaveLength(1)
  })

  it.each([
    ['unknown', IN_DOUBT],
    ['unreachable', 'etcdserver: no leader'],
  ] as const)(
    '%s: all are told `%s`, nothing is sent again, and the next batch goes on',
    async (kind, told) => {
      const { sql, write } = setUp()
      const answers = [write(1), write(2)]
      ;(await sql.next()).fail(new SqlError(kind, 'the connection is lost'))
      expect(await Promise.all(answers)).toEqual([told, told])
      await settled()
      expect(sql.sent).toHaveLength(1)
      const after = write(3)
      ;(await sql.next()).commit()
      expect(await after).toBe(2)
    },
  )

  it.each(['40001', '40P01'])('%s is tried again after a pause, until it succeeds', async (sqlstate) => {
    const { sql, clock, write } = setUp()
    const answers = [write(1), write(2)]
    const pauses: number[] = []
    for (let tries = 0; tries < 8; tries++) {
      const batch = await sql.next()
      expect(batch.members).toEqual([1, 2])
      batch.fail(failed(sqlstate))
      await settled()
      const before = clock.now()
      clock.advance(1000)
      pauses.push(clock.now() - before)
    }
    ;(await sql.next()).commit()
    expect(await Promise.all(answers)).toEqual([2, 3])
    expect(pauses).toEqual([1, 5, 20, 50, 100, 200, 200, 200])
  })

  it('tries again within the deadline of the oldest member only; then all are told that the time is over', async () => {
    const { sql, clock, write } = setUp()
    const answers = [write(1), write(2)]
    const batch = await sql.next()
    await clock.pass(LIMITS.requestTimeoutMs)
    batch.fail(failed('40001'))
    expect(await Promise.all(answers)).toEqual([LATE, LATE])
    expect(sql.sent).toHaveLength(1)
  })
})

describe('requests that nobody waits for', () => {
  it('an aborted caller that is still queued is withdrawn and never sent', async () => {
    const { sql, write } = setUp()
    void write(1)
    const batch = await sql.next()
    const gone = new AbortController()
    const withdrawn = write(2, { signal: gone.signal })
    const kept = write(3)
    gone.abort()
    batch.commit()
    expect(await withdrawn).toBe('context canceled')
    const next = await sql.next()
    expect(next.members).toEqual([3])
    next.commit()
    expect(await kept).toBe(3)
  })

  it('an aborted caller whose batch was sent is answered all the same: it happens', async () => {
    const { sql, write } = setUp()
    const gone = new AbortController()
    const answer = write(1, { signal: gone.signal })
    const batch = await sql.next()
    gone.abort()
    batch.commit()
    expect(await answer).toBe(2)
  })

  it('one that waited longer than a request may take is told so and never sent', async () => {
    const { sql, clock, write } = setUp()
    void write(1)
    const batch = await sql.next()
    const late = write(2)
    await clock.pass(1)
    const inTime = write(3)
    await clock.pass(LIMITS.requestTimeoutMs)
    batch.commit()
    expect(await late).toBe(LATE)
    const next = await sql.next()
    expect(next.members).toEqual([3])
    next.commit()
    expect(await inTime).toBe(3)
  })
})

describe('stopping', () => {
  it('finishes what was accepted and refuses the rest', async () => {
    const { sql, queue, write } = setUp()
    const sent = write(1)
    const batch = await sql.next()
    const queued = write(2)
    let stopped = false
    const stopping = queue.stop().then(() => {
      stopped = true
    })
    expect(await write(3)).toBe('etcdserver: server stopped')
    batch.commit()
    const next = await sql.next()
    expect(next.members).toEqual([2])
    expect(stopped).toBe(false)
    next.commit()
    await stopping
    expect(await Promise.all([sent, queued])).toEqual([2, 3])
  })

  it('is done at once when nothing is under way', async () => {
    const { queue, write } = setUp()
    await queue.stop()
    expect(await write(1)).toBe('etcdserver: server stopped')
  })
})
