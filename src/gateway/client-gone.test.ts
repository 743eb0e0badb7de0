/** Clients that go away as a Worker hears of it: the signal of a request aborts, with a reason of the platform's. */
import { expect, it } from 'vitest'
import { fakeContext, fakeServices, type SomeServices } from './testing/fake-services.ts'
import { fetchApp } from './testing/fetch-app.ts'
import { CREATE, deferred } from './testing/served.ts'

/** Opens a request whose client may leave, on a server that notes what it logs as an error. */
function ask(path: string, body: string, headers: Record<string, string>, services: SomeServices = {}) {
  const errors: string[] = []
  const context = fakeContext({ services: fakeServices(services) })
  const log = (level: string, message: string) => {
    if (level === 'error') errors.push(message)
  }
  const noting = { ...context, environment: { ...context.environment, log } }
  const client = new AbortController()
  const init = { method: 'POST', body, headers, signal: client.signal }
  const counted = () => context.instruments.metrics.text()
  return { answer: fetchApp(path, init, noting), leave: () => client.abort(), errors, counted }
}

it('a watch whose client has gone is no failure of ours', async () => {
  const { answer, leave, errors, counted } = ask('/v3/watch', CREATE, {})
  const reader = (await answer).body?.getReader()
  await reader?.read()
  leave()
  while ((await reader?.read())?.done === false);
  expect(errors).toEqual([])
  expect(counted()).toMatch(/handled_total\{grpc_code="Canceled",[^}]*"Watch"[^}]*\} 1\n/)
})

it('nor is a call with a deadline', async () => {
  const reached = deferred<void>()
  const lock = () => {
    reached.resolve()
    return new Promise<never>(() => {})
  }
  const waiting = ask('/v3/lock/lock', '{}', { 'Grpc-Timeout': '9S' }, { lock: { lock } })
  await reached.promise
  waiting.leave()
  await waiting.answer
  expect(waiting.errors).toEqual([])
  expect(waiting.counted()).toMatch(/handled_total\{grpc_code="Canceled",[^}]*"Lock"[^}]*\} 1\n/)
})
