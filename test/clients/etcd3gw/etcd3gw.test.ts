import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { cleanEnvironment } from '../../support/edgetcd.ts'
import { Gateway } from '../../support/gateway.ts'
import { projectRoot, temporaryDir } from '../../support/paths.ts'
import { freePort } from '../../support/ports.ts'
import { startProcess, waitUntilReady } from '../../support/process.ts'
import { pythonEnvironment, runUnittest } from '../../support/python.ts'

const python = await pythonEnvironment('etcd3gw')
if ('missing' in python) console.log(`skipped: ${python.missing}`)

it.skipIf('missing' in python)(
  "Python's etcd3gw: its own tests and a day's work against npm start",
  async () => {
    if ('missing' in python) return
    const dataDir = temporaryDir('etcd3gw')
    const port = await freePort()
    // --ignore-scripts: the bundle is built already, and other tests are running it.
    const flags = ['--listen-client-urls', `http://127.0.0.1:${port}`, '--data-dir', dataDir]
    const server = startProcess('npm', ['start', '--ignore-scripts', '--', ...flags], {
      cwd: projectRoot,
      detached: true,
      env: cleanEnvironment(),
    })
    const gateway = new Gateway(`http://127.0.0.1:${port}`)
    try {
      await waitUntilReady('npm start', server, async () => (await gateway.status('/readyz')) === 200)
      const environment = {
        PYTHONPATH: join(projectRoot, 'test/clients/etcd3gw'),
        EDGETCD_PORT: String(port),
        TOOZ_TEST_ETCD_PORT: String(port),
        TOOZ_TEST_HTTP_URL: gateway.url,
      }
      const own = ['etcd3gw.tests.test_client', 'etcd3gw.tests.test_etcd3gw']
      const [ownTests, daysWork] = await Promise.all([
        runUnittest(python.bin, own, environment),
        runUnittest(python.bin, ['daily_work'], environment),
      ])
      expect(ownTests, ownTests.output).toMatchObject({ passed: true, ran: 39, skipped: 0 })
      expect(daysWork, daysWork.output).toMatchObject({ passed: true, ran: 13, skipped: 0 })
    } finally {
      gateway.close()
      await server.stopGroup()
      rmSync(dataDir, { recursive: true, force: true })
    }
  },
)
