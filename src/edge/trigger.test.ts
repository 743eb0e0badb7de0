import { expect, it } from 'vitest'
import { EtcdError } from '../etcd/errors.ts'
import { LIMITS } from '../etcd/limits.ts'
import { Metrics } from '../observe/metrics.ts'
import { ManualClock, testEnvironment } from '../service/watch/testing/environment.ts'
import type { Store } from '../store/store.ts'
import { runScheduled } from './trigger.ts'

/** A run on a store that only keeps a diary; what is named in `fails` fails. */
function setUp(fails: readonly string[] = []) {
  const clock = new ManualClock()
  const environment = testEnvironment(clock)
  const diary: string[] = []
  const ask = async (what: string, answer?: unknown) => {
    diary.push(what)
    if (fails.includes(what)) throw EtcdError.of('NoLeader')
    return answer
  }
  const behaviour = { sweep: async (_signal: AbortSignal) => {} }
  const store = {
    head: () => ask('head', { revision: 9n, compactRevision: 2n, authVersion: 1n }),
    compact: () => ask('compact'),
    compaction: {
      sweep: async (signal: AbortSignal) => {
        await ask('sweep')
        await behaviour.sweep(signal)
      },
    },
    scheduledRuns: {
      began: () => ask('began'),
      ended: (failed: readonly string[]) => ask(`ended ${failed.join(' ')}`.trim()),
    },
  } as unknown as Store
  const metrics = new Metrics()
  const failures = metrics.counter('failures', '').labels()
  const scarce = new AbortController()
  const run = () =>
    runScheduled({
      application: { store, checkQuota: async () => void (await ask('quota')) },
      retention: { mode: 'revision', revisions: 4n },
      environment,
      failures,
      signal: scarce.signal,
    })
  return {
    clock,
    environment,
    diary,
    behaviour,
    scarce,
    run,
    failed: () => /failures (\d)/.exec(metrics.text())?.[1],
  }
}

it('does one thing after the other, and sweeps a moment after it compacted', async () => {
  const { clock, diary, run, failed } = setUp()
  const running = run()
  await clock.pass(LIMITS.sweepDelayMs - 1)
  expect(diary).toEqual(['began', 'head', 'head', 'compact', 'quota'])
  await clock.pass(1)
  await running
  expect(diary.slice(5)).toEqual(['sweep', 'ended'])
  expect(clock.sleeping).toBe(0)
  expect(failed()).toBe('0')
})

it.each([
  ['began', 'record'],
  ['head', 'leases compaction'],
  ['compact', 'compaction'],
  ['quota', 'quota'],
  ['sweep', 'sweep'],
])(
  'when %s fails the other steps run all the same, and the run fails once they have',
  async (what, steps) => {
    const { clock, environment, diary, run, failed } = setUp([what])
    const running = run().catch((error: Error) => error.message)
    await clock.pass(LIMITS.sweepDelayMs)
    expect(await running).toBe(`the scheduled trigger failed: ${steps.replace(' ', ', ')}`)
    expect(diary).toEqual(expect.arrayContaining(['began', 'head', 'quota', 'sweep', `ended ${steps}`]))
    expect(environment.lines.filter(({ level }) => level === 'error')).toHaveLength(steps.split(' ').length)
    expect(failed()).toBe('1')
  },
)

it('ends in time: what is left is for the next run', async () => {
  const { clock, diary, behaviour, run, failed } = setUp()
  behaviour.sweep = (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
  const running = run()
  await clock.pass(LIMITS.scheduledRunMs - 1)
  expect(diary.at(-1)).toBe('sweep')
  await clock.pass(1)
  await running
  expect(diary.at(-1)).toBe('ended')
  expect(failed()).toBe('0')
})

it('ends when little more may be asked of the database', async () => {
  const { clock, diary, behaviour, scarce, run } = setUp()
  behaviour.sweep = (signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve()))
  const running = run()
  await clock.pass(LIMITS.sweepDelayMs)
  expect(diary.at(-1)).toBe('sweep')
  scarce.abort()
  await running
  expect(diary.at(-1)).toBe('ended')
})
