import { expect, it } from 'vitest'
import { ManualClock, testEnvironment } from './service/watch/testing/environment.ts'
import { unrepeatedLog } from './unrepeated-log.ts'

function setUp() {
  const clock = new ManualClock()
  const environment = testEnvironment(clock)
  const log = unrepeatedLog(environment)
  return { clock, log, said: () => environment.lines.map(({ message }) => message) }
}

it('says the same again after ten seconds, not before', async () => {
  const { clock, log, said } = setUp()
  for (let i = 0; i < 1000; i++) log('error', 'one', { error: 'a' })
  await clock.pass(5000)
  for (let i = 0; i < 1000; i++) log('error', 'two', { error: 'a' })
  await clock.pass(4999)
  log('error', 'one', { error: 'a' })
  expect(said()).toEqual(['one', 'two'])
  await clock.pass(1)
  for (let i = 0; i < 2; i++) log('error', 'one', { error: 'a' })
  log('error', 'two', { error: 'a' })
  expect(said()).toEqual(['one', 'two', 'one'])
})

it('takes lines for different that differ in a field, up to a hundred', async () => {
  const { clock, log, said } = setUp()
  for (let i = 0; i < 200; i++) log('error', `${i}`, { error: i })
  expect(said()).toHaveLength(100)
  await clock.pass(10_000)
  log('error', 'another')
  expect(said()).toHaveLength(101)
})
