import { describe, expect, it } from 'vitest'
import { EtcdError } from '../../etcd/errors.ts'
import { ManualClock, settled, testEnvironment } from '../watch/testing/environment.ts'
import { Quota } from './quota.ts'

const QUOTA = 1_000_000n

function setUp() {
  const clock = new ManualClock()
  const environment = testEnvironment(clock)
  const checks: bigint[] = []
  const behaviour = { size: 0n, failure: undefined as EtcdError | undefined }
  let isRaised = false
  const space = {
    async checkQuota(quotaBytes: bigint) {
      checks.push(quotaBytes)
      if (behaviour.failure !== undefined) throw behaviour.failure
      const raised = behaviour.size >= quotaBytes && !isRaised
      isRaised ||= raised
      return { size: behaviour.size, raised }
    },
  }
  const quota = new Quota({ space }, QUOTA, environment)
  return { clock, environment, quota, checks, behaviour }
}

describe('the space quota', () => {
  it('is looked at soon after the first write, since nobody knows yet how near it is', async () => {
    const { clock, quota, checks } = setUp()
    await clock.pass(60_000)
    expect(checks, 'nothing is asked while nobody writes').toEqual([])
    quota.written(1, 10)
    await clock.pass(199)
    expect(checks).toEqual([])
    await clock.pass(1)
    expect(checks).toEqual([QUOTA])
  })

  it('is looked at now and then while it is far, and at once when it may be near', async () => {
    const { clock, quota, checks } = setUp()
    quota.written(1, 10)
    await clock.pass(200)
    quota.written(1, 10)
    quota.written(1, 10)
    await clock.pass(4_999)
    expect(checks).toHaveLength(1)
    await clock.pass(1)
    expect(checks).toHaveLength(2)
    quota.written(1, 10)
    await clock.pass(1_000)
    quota.written(1, 200_000)
    await settled()
    expect(checks).toHaveLength(3)
  })

  it('raises the alarm once, with a warning', async () => {
    const { clock, quota, environment, behaviour } = setUp()
    behaviour.size = QUOTA
    for (let i = 0; i < 3; i++) {
      quota.written(1, 10)
      await clock.pass(200)
    }
    expect(environment.lines).toEqual([
      { level: 'warn', message: 'the store has reached its quota: NOSPACE is raised' },
    ])
  })

  it('is looked at again after the next write when the database was away', async () => {
    const { clock, quota, checks, behaviour } = setUp()
    behaviour.failure = EtcdError.of('NoLeader')
    quota.written(1, 10)
    await clock.pass(200)
    behaviour.failure = undefined
    quota.written(1, 10)
    await clock.pass(200)
    expect(checks).toHaveLength(2)
  })

  it('asks nothing more once it is closed', async () => {
    const { clock, quota, checks } = setUp()
    quota.written(1, 10)
    await quota.close()
    expect(checks).toEqual([])
    expect(clock.sleeping).toBe(0)
  })
})
