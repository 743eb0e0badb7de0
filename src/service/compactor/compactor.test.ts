import { describe, expect, it } from 'vitest'
import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { NEVER } from '../../never.ts'
import type { Store } from '../../store/store.ts'
import { ManualClock, settled, testEnvironment } from '../watch/testing/environment.ts'
import { compactOnce, intervalMsOf, type Retention, runCompactor } from './index.ts'
import { Sweeper } from './sweeper.ts'

const keep = (revisions: bigint): Retention => ({ mode: 'revision', revisions })
const HOUR: Retention = { mode: 'periodic', seconds: 3600 }

/** What the compactor uses of a store, with a diary of what was asked of it. */
function fakeStore(at: { revision: bigint; compactRevision: bigint; noted?: bigint }) {
  const diary: string[] = []
  const behaviour = { compact: async () => {}, sweep: async () => 1 }
  const store = {
    async head() {
      diary.push('head')
      return { ...at, authVersion: 1n }
    },
    async compact({ revision }: { revision: bigint }) {
      diary.push(`compact ${revision}`)
      await behaviour.compact()
      return at.revision
    },
    compaction: {
      async noteRevision(seconds: bigint) {
        diary.push(`note ${seconds}`)
        return at.noted
      },
      async sweep() {
        diary.push('sweep')
        return behaviour.sweep()
      },
    },
  }
  return { diary, behaviour, store: store as unknown as Store }
}

function setUp(at: Parameters<typeof fakeStore>[0]) {
  const clock = new ManualClock()
  return { clock, environment: testEnvironment(clock), ...fakeStore(at) }
}

describe('compacting once (invariants 8 and 9)', () => {
  it.each([
    ['keeps the newest revisions', keep(100n), { revision: 500n, compactRevision: 7n }, 400n],
    ['has nothing to do at the goal', keep(100n), { revision: 500n, compactRevision: 400n }, undefined],
    ['never moves back', keep(100n), { revision: 500n, compactRevision: 450n }, undefined],
    ['keeps a short history', keep(100n), { revision: 100n, compactRevision: -1n }, undefined],
    ['compacts at the revision of a period ago', HOUR, { revision: 9n, compactRevision: 2n, noted: 5n }, 5n],
    ['waits for the first note to be old', HOUR, { revision: 9n, compactRevision: 2n }, undefined],
    ['has been there already', HOUR, { revision: 9n, compactRevision: 5n, noted: 5n }, undefined],
  ])('%s', async (_, retention, at, goal) => {
    const { store, clock, environment, diary } = setUp(at)
    const running = compactOnce(store, retention, environment, NEVER)
    await clock.pass(LIMITS.sweepDelayMs)
    expect(await running).toEqual({ compactedTo: goal, batches: 1 })
    expect(diary).toEqual([
      'head',
      ...(retention.mode === 'periodic' ? ['note 3600'] : []),
      ...(goal === undefined ? [] : [`compact ${goal}`]),
      'sweep',
    ])
  })

  it('without retention ends what is due and frees what others have compacted', async () => {
    const { store, environment, diary } = setUp({ revision: 500n, compactRevision: 7n })
    expect(await compactOnce(store, undefined, environment, NEVER)).toEqual({
      compactedTo: undefined,
      batches: 1,
    })
    expect(diary).toEqual(['head', 'sweep'])
  })

  it('frees space a moment after it compacted, for watches that are a little behind', async () => {
    const { store, clock, environment, diary } = setUp({ revision: 500n, compactRevision: 7n })
    const running = compactOnce(store, keep(1n), environment, NEVER)
    await clock.pass(LIMITS.sweepDelayMs - 1)
    expect(diary).not.toContain('sweep')
    await clock.pass(1)
    await running
    expect(diary).toContain('sweep')
  })

  it('takes it as done when another server was quicker', async () => {
    const { store, environment, diary, behaviour } = setUp({ revision: 500n, compactRevision: 7n })
    behaviour.compact = () => Promise.reject(EtcdError.of('Compacted'))
    expect(await compactOnce(store, keep(1n), environment, NEVER)).toMatchObject({ compactedTo: undefined })
    expect(diary).toEqual(['head', 'compact 499', 'sweep'])
  })

  it('fails when the database is away', async () => {
    const { store, environment, behaviour } = setUp({ revision: 500n, compactRevision: 7n })
    behaviour.compact = () => Promise.reject(EtcdError.of('NoLeader'))
    await expect(compactOnce(store, keep(1n), environment, NEVER)).rejects.toThrow('no leader')
  })
})

describe("a server's timer", () => {
  it.each([
    ['five minutes by revision', keep(5n), 300_000],
    ['a tenth of the period', { mode: 'periodic', seconds: 600 }, 60_000],
    ['six minutes of a long period', { mode: 'periodic', seconds: 864_000 }, 360_000],
    ['a second of a short one', { mode: 'periodic', seconds: 2 }, 1_000],
  ] as const)('etcd: runs every %s', (_, retention, ms) => {
    expect(intervalMsOf(retention)).toBe(ms)
  })

  it('runs at once and then again and again; a run that fails is logged, and the next one makes up for it', async () => {
    const { store, clock, environment, diary, behaviour } = setUp({ revision: 500n, compactRevision: 500n })
    let fails = true
    behaviour.sweep = async () => {
      if (fails) throw EtcdError.of('NoLeader')
      return 1
    }
    const stop = new AbortController()
    let failures = 0
    const counter = {
      add: (amount: number) => {
        failures += amount
      },
    }
    const running = runCompactor(store, keep(5n), environment, counter, stop.signal)
    await settled()
    expect(failures).toBe(1)
    expect(environment.lines).toEqual([{ level: 'error', message: 'a compaction run failed' }])
    fails = false
    await clock.pass(2 * 300_000)
    expect(diary.filter((entry) => entry === 'sweep')).toHaveLength(3)
    expect(environment.lines).toHaveLength(1)
    stop.abort()
    await running
    expect(clock.sleeping).toBe(0)
  })
})

describe('the sweep after a compaction that a client asked for', () => {
  it('comes a moment later, once for all that were asked for until then', async () => {
    const { store, clock, environment, diary } = setUp({ revision: 5n, compactRevision: 4n })
    const sweeper = new Sweeper(store, environment)
    sweeper.soon()
    await clock.pass(LIMITS.sweepDelayMs - 1)
    sweeper.soon()
    expect(diary).toEqual([])
    await clock.pass(LIMITS.sweepDelayMs + 1)
    expect(diary).toEqual(['sweep'])
    sweeper.soon()
    await clock.pass(LIMITS.sweepDelayMs)
    expect(diary).toEqual(['sweep', 'sweep'])
  })

  it('is left out when the server stops', async () => {
    const { store, clock, environment, diary } = setUp({ revision: 5n, compactRevision: 4n })
    const sweeper = new Sweeper(store, environment)
    sweeper.soon()
    sweeper.close()
    await clock.pass(2 * LIMITS.sweepDelayMs)
    expect(diary).toEqual([])
  })

  it('that fails is only logged', async () => {
    const { store, clock, environment, behaviour } = setUp({ revision: 5n, compactRevision: 4n })
    behaviour.sweep = () => Promise.reject(EtcdError.of('NoLeader'))
    new Sweeper(store, environment).soon()
    await clock.pass(LIMITS.sweepDelayMs)
    expect(environment.lines.map(({ level }) => level)).toEqual(['warn'])
  })
})
