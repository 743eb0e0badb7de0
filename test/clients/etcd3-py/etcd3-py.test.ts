import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEdgetcd } from '../../support/edgetcd.ts'
import { etcdBinary, type GatewayServer, startEtcd } from '../../support/etcd.ts'
import { projectRoot } from '../../support/paths.ts'
import { type Postgres, startPostgres } from '../../support/postgres.ts'
import { pythonEnvironment, runUnittest } from '../../support/python.ts'
import { startWorkerd } from '../../support/workerd.ts'

const here = join(projectRoot, 'test/clients/etcd3-py')
const CALLS = { recorded: 'calls.etcd-3.6.16.txt', environment: {} }
const AUTHENTICATION = { recorded: 'authentication.etcd-3.6.16.txt', environment: { EDGETCD_AUTH: '1' } }

const python = await pythonEnvironment('etcd3-py')
if ('missing' in python) console.log(`skipped: ${python.missing}`)
const etcd = await etcdBinary()
if ('missing' in etcd) console.log(`skipped: ${etcd.missing}`)

describe.skipIf('missing' in python)("every call of Python's etcd3-py", () => {
  if ('missing' in python) return
  let postgres: Postgres
  beforeAll(async () => {
    postgres = await startPostgres(18)
  })
  afterAll(() => postgres?.[Symbol.asyncDispose]())
  const emptyStore = () => ({ databaseUrl: postgres.url, schema: postgres.freshSchema() })
  /** What every_call.py prints of a server. */
  const transcript = async ({ gateway }: GatewayServer, environment: Readonly<Record<string, string>>) => {
    const env = { ...process.env, ...environment, EDGETCD_PORT: new URL(gateway.url).port }
    const args = ['-W', 'ignore', join(here, 'every_call.py')]
    const { stdout } = await promisify(execFile)(join(python.bin, 'python'), args, { env })
    return stdout
  }

  const servers = [
    { name: 'Node', start: startEdgetcd },
    { name: 'workerd', start: startWorkerd },
  ]
  const runs = servers.flatMap((server) => [CALLS, AUTHENTICATION].map((part) => ({ ...server, ...part })))
  it.each(runs)('gives on $name what $recorded has', async ({ start, environment, recorded }) => {
    await using edgetcd = await start(emptyStore())
    await expect(await transcript(edgetcd, environment)).toMatchFileSnapshot(join(here, recorded))
  })

  it('raises its own errors, as with etcd up to 3.5', async () => {
    await using edgetcd = await startEdgetcd(emptyStore())
    const environment = { EDGETCD_PORT: new URL(edgetcd.gateway.url).port, PYTHONPATH: here }
    const result = await runUnittest(python.bin, ['typed_errors'], environment)
    expect(result, result.output).toMatchObject({ passed: true, ran: 1 })
  })

  it.skipIf('missing' in etcd).each([CALLS, AUTHENTICATION])('$recorded is what etcd gives', async (part) => {
    if ('missing' in etcd) return
    await using server = await startEtcd(etcd.path)
    const said = await transcript(server, part.environment)
    await expect(said).toMatchFileSnapshot(join(here, part.recorded))
  })
})
