import { once } from 'node:events'
import { afterEach, expect, test, vi } from 'vitest'
import { childEnvironment, supervise } from './supervise.ts'

afterEach(() => vi.unstubAllEnvs())

const run = (script: string) => supervise(['/bin/sh', '-c', script], { cwd: '/', account: undefined })

test('a command’s output and status come through its supervisor', async () => {
  const child = run('echo out; echo err >&2; exit 7')
  const [out, err] = await Promise.all([once(child.stdout, 'data'), once(child.stderr, 'data')])
  expect([String(out[0]), String(err[0])]).toEqual(['out\n', 'err\n'])
  expect(await child.ended).toEqual({ status: 7, abandoned: false })
})

test('a command is stopped with SIGTERM and then SIGINT', async () => {
  const script = `
    process.on('SIGTERM', () => console.log('TERM'))
    process.on('SIGINT', () => process.exit(3))
    setInterval(() => {}, 1000)
    console.log('ready')`
  const child = supervise([process.execPath, '-e', script], { cwd: '/', account: undefined })
  await once(child.stdout, 'data')
  child.stop()
  expect(await child.ended).toEqual({ status: 3, abandoned: false })
})

test('a command that isn’t there says so', async () => {
  const child = supervise(['/nowhere/postgres'], { cwd: '/', account: undefined })
  expect(await child.ended).toEqual({ status: 127, abandoned: false })
})

test('a child sees neither PostgreSQL’s variables nor the server’s secrets', () => {
  vi.stubEnv('PGDATA', '/elsewhere')
  vi.stubEnv('DATABASE_URL', 'postgres://user:secret@host/db')
  vi.stubEnv('LD_LIBRARY_PATH', '/libraries')
  const environment = childEnvironment()
  expect(Object.keys(environment)).not.toContain('PGDATA')
  expect(JSON.stringify(environment)).not.toContain('secret')
  expect(environment).toMatchObject({ LC_ALL: 'C', TZ: 'UTC', LD_LIBRARY_PATH: '/libraries' })
})
