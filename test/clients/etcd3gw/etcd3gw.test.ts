import { execFile } from 'node:child_process'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { cleanEnvironment } from '../../support/edgetcd.ts'
import { Gateway } from '../../support/gateway.ts'
import { cacheDir, projectRoot, temporaryDir } from '../../support/paths.ts'
import { freePort } from '../../support/ports.ts'
import { startProcess, waitUntilReady } from '../../support/process.ts'

const here = join(projectRoot, 'test/clients/etcd3gw')

/** A Python that has etcd3gw, in an environment of its own that is kept; or why there is none. */
async function pythonWithEtcd3gw(): Promise<{ readonly path: string } | { readonly missing: string }> {
  const environment = cacheDir('etcd3gw')
  const path = join(environment, 'bin/python')
  const run = (command: string, ...args: string[]) => promisify(execFile)(command, args, { timeout: 120_000 })
  try {
    await run('python3', '-m', 'venv', environment)
    await run(path, '-m', 'pip', 'install', '--quiet', '--requirement', join(here, 'requirements.txt'))
    return { path }
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error)
    return { missing: `etcd3gw can't be installed here: ${why}` }
  }
}

const python = await pythonWithEtcd3gw()
if ('missing' in python) console.log(`skipped: ${python.missing}`)

it.skipIf('missing' in python)("Python's etcd3gw does its daily work against npm start", async () => {
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
    const work = startProcess(python.path, [join(here, 'daily_work.py')], {
      env: { ...process.env, EDGETCD_PORT: String(port) },
    })
    expect(await work.exited, work.output()).toBe(0)
    console.log(work.output().trimEnd().split('\n').slice(-3).join('\n'))
  } finally {
    gateway.close()
    await server.stopGroup()
    rmSync(dataDir, { recursive: true, force: true })
  }
})
