import { rmSync } from 'node:fs'
import { expect, it } from 'vitest'
import { startEdgetcd } from '../../support/edgetcd.ts'
import { temporaryDir } from '../../support/paths.ts'
import { pythonEnvironment, runUnittest } from '../../support/python.ts'

/**
 * tooz's own tests that run on the server, how many they are, and how many of them its etcd3gw driver can't do with any
 * server and skips (`not implemented`, str member ids, drivers based on time-outs). The partitioner's have the other
 * process because they take as long as all the rest.
 */
const SUITES = [
  { names: ['tooz.tests.test_coordination', 'tooz.tests.drivers.test_etcd3gw'], ran: 85, skipped: 18 },
  { names: ['tooz.tests.test_partitioner.TestPartitioner'], ran: 5, skipped: 0 },
]

const python = await pythonEnvironment('tooz')
if ('missing' in python) console.log(`skipped: ${python.missing}`)

it.skipIf('missing' in python)(
  "OpenStack's tooz: its own tests of the etcd3gw driver",
  async () => {
    if ('missing' in python) return
    const dataDir = temporaryDir('tooz')
    await using edgetcd = await startEdgetcd({ dataDir })
    const environment = { TOOZ_TEST_URL: `etcd3+http://127.0.0.1:${edgetcd.port}` }
    const results = await Promise.all(SUITES.map(({ names }) => runUnittest(python.bin, names, environment)))
    for (const [index, { ran, skipped }] of SUITES.entries()) {
      const result = results[index]
      expect(result, result?.output).toMatchObject({ passed: true, ran, skipped })
    }
    rmSync(dataDir, { recursive: true, force: true })
  },
  300_000,
)
