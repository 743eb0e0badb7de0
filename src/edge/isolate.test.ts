import { afterEach, expect, it, vi } from 'vitest'
import type { Bindings } from './bindings.ts'
import { Isolate } from './isolate.ts'

const HYPERDRIVE = { connectionString: 'postgres://user:secret@127.0.0.1:1/db' }

const written = vi.spyOn(console, 'log').mockImplementation(() => {})
afterEach(() => written.mockClear())

/** Opens an application thrice in one isolate; gives what was logged. */
async function openThrice(bindings: Bindings, opening: (open: () => Promise<void>) => Promise<void>) {
  const isolate = new Isolate()
  const open = () => isolate.open({ HYPERDRIVE, ...bindings }, { waitUntil: () => {} }).application.close()
  for (let i = 0; i < 3; i++) await opening(open)
  return written.mock.calls.map(([line]) => JSON.parse(String(line)) as { level: string; msg: string })
}

it.each([
  ['SUBREQUESTS_MAX', 'abc', 'SUBREQUESTS_MAX must be a number from 10 on, not "abc"'],
  ['ETCD_AUTO_COMPACTION_RETENTION', '1hour', 'ETCD_AUTO_COMPACTION_RETENTION is "1hour", but must be hours'],
  ['ETCD_AUTH_TOKEN_KEY', 'short', 'ETCD_AUTH_TOKEN_KEY must have at least 32 bytes'],
])('a bad %s is told plainly, to the log once and to clients without it', async (name, value, reason) => {
  const lines = await openThrice({ [name]: value }, async (open) => {
    expect(open).toThrow(
      expect.objectContaining({
        name: 'EtcdError',
        code: 14,
        message: 'edgetcd: this Worker is misconfigured; its log says how',
      }),
    )
  })
  expect(lines).toMatchObject([
    { level: 'error', msg: expect.stringContaining(`this Worker is misconfigured: ${reason}`) },
  ])
})

it('warns of what means nothing once', async () => {
  const lines = await openThrice({ ETCD_SHCEMA: 'x', ETCD_DATA_DIR: 'x' }, (open) => open())
  expect(lines).toMatchObject([
    { level: 'warn', msg: 'unrecognized environment variable ETCD_SHCEMA' },
    { level: 'warn', msg: 'ETCD_DATA_DIR is ignored: it means nothing to a Worker' },
  ])
})
