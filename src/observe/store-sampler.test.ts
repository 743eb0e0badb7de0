import { expect, it } from 'vitest'
import { EtcdError } from '../etcd/errors.ts'
import { ManualClock, settled } from '../service/watch/testing/environment.ts'
import { Metrics } from './metrics.ts'
import { StoreGauges, type StoreSample } from './store-gauges.ts'
import { StoreSampler } from './store-sampler.ts'

const SAMPLE: StoreSample = {
  revision: 100n,
  compactRevision: 90n,
  sweptRevision: 70n,
  size: 5000n,
  sizeInUse: 4000n,
  scheduledRuns: { beganMs: 3_500n, endedMs: 2_000n, succeededMs: undefined, failedSteps: ['sweep'] },
}

function setUp() {
  const clock = new ManualClock()
  const metrics = new Metrics()
  const gauges = new StoreGauges(metrics)
  const asked: ((sample: StoreSample | EtcdError) => void)[] = []
  const read = () =>
    new Promise<StoreSample>((resolve, reject) => {
      asked.push((answer) => (answer instanceof EtcdError ? reject(answer) : resolve(answer)))
    })
  let position: bigint | undefined
  const application = () => new StoreSampler({ gauges, clock, read, position: () => position })
  const sampler = application()
  return {
    application,
    clock,
    asked,
    watchAt: (revision: bigint) => {
      position = revision
    },
    refresh: () => sampler.refresh(),
    page: () => metrics.text(),
    value: (name: string) => new RegExp(`^${name} (\\d+)$`, 'm').exec(metrics.text())?.[1],
  }
}

it('knows nothing before it has asked', () => {
  const { value } = setUp()
  expect(value('etcd_server_has_leader')).toBe('0')
  expect(value('etcd_debugging_mvcc_current_revision')).toBeUndefined()
})

it('tells how the scheduled trigger went, whoever ran it', async () => {
  const { asked, refresh, page } = setUp()
  expect(page()).not.toMatch(/^edgetcd_trigger_\w+[ {]/m)
  const refreshed = refresh()
  asked[0]?.(SAMPLE)
  await refreshed
  expect(page().match(/^edgetcd_trigger_.*$/gm)).toEqual([
    'edgetcd_trigger_began_timestamp_seconds 3.5',
    'edgetcd_trigger_ended_timestamp_seconds 2',
    'edgetcd_trigger_failed{step="record"} 0',
    'edgetcd_trigger_failed{step="leases"} 0',
    'edgetcd_trigger_failed{step="compaction"} 0',
    'edgetcd_trigger_failed{step="quota"} 0',
    'edgetcd_trigger_failed{step="sweep"} 1',
  ])
})

it('asks once in five seconds, whoever wants to know', async () => {
  const { clock, asked, refresh, value, watchAt } = setUp()
  watchAt(97n)
  const both = Promise.all([refresh(), refresh()])
  asked[0]?.(SAMPLE)
  await both
  expect(value('etcd_debugging_mvcc_current_revision')).toBe('100')
  expect(value('edgetcd_revision_lag')).toBe('3')
  expect(value('edgetcd_compaction_lag_revisions')).toBe('20')
  await clock.pass(4_999)
  await refresh()
  expect(asked).toHaveLength(1)
  await clock.pass(1)
  void refresh()
  await settled()
  expect(asked).toHaveLength(2)
})

it('waits no longer than a second, and then has the last values', async () => {
  const { clock, asked, refresh, value } = setUp()
  const first = refresh()
  asked[0]?.(SAMPLE)
  await first
  await clock.pass(5_000)
  const hanging = refresh()
  await clock.pass(1_000)
  await hanging
  expect(value('etcd_server_has_leader')).toBe('0')
  expect(value('etcd_debugging_mvcc_current_revision')).toBe('100')
  asked[1]?.({ ...SAMPLE, revision: 101n })
  await settled()
  expect(value('etcd_server_has_leader')).toBe('1')
  expect(value('etcd_server_leader_changes_seen_total')).toBe('2')
  expect(value('etcd_debugging_mvcc_current_revision')).toBe('101')
})

it('never fails', async () => {
  const { asked, refresh, value } = setUp()
  const refreshed = refresh()
  asked[0]?.(EtcdError.of('NoLeader'))
  await refreshed
  expect(value('etcd_server_has_leader')).toBe('0')
})

it('asks again though somebody asked before who has gone without the answer', async () => {
  const { application, asked, clock, value } = setUp()
  const gone = application().refresh()
  await clock.pass(1_000)
  await gone
  const refreshed = application().refresh()
  asked[1]?.(SAMPLE)
  await refreshed
  expect(value('etcd_server_has_leader')).toBe('1')
})
