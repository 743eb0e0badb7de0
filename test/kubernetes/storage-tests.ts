import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cleanEnvironment } from '../support/edgetcd.ts'
import { firstLines, type GoProgram } from '../support/go.ts'
import { cacheDir, projectRoot, temporaryDir } from '../support/paths.ts'
import { startPostgres } from '../support/postgres.ts'
import { KUBERNETES_VERSION } from './binaries.ts'
import { expect } from './check.ts'

/** The module of this release of Kubernetes that has its storage on etcd, and the tests of it. */
const MODULE = `k8s.io/apiserver@v${KUBERNETES_VERSION.replace(/^1/, '0')}`
const PACKAGE = 'pkg/storage/etcd3'
/** Some wait only a tenth of a second for an answer, which a busy machine may need. */
const TRIES = 3

const run = promisify(execFile)

/** Runs Kubernetes' own tests of its storage, each on an edgetcd of its own; `program` is what they were built into. */
export async function runStorageTests(program: string): Promise<string> {
  await using postgres = await startPostgres(18, { durable: true })
  const cli = join(projectRoot, 'dist/cli.js')
  const server = [process.execPath, cli, 'serve', '--database-url', postgres.url].join('\n')
  const passed = new Set<string>()
  let left: string[] | undefined
  for (let attempt = 0; attempt < TRIES && left?.length !== 0; attempt++) {
    const output = await runTests(program, server, left)
    for (const name of named('PASS', output)) passed.add(name)
    left = named('FAIL', output)
    expect(passed.size + left.length > 0, `no test ran: ${output.slice(-2000)}`)
  }
  expect(left?.length === 0, `${left?.join(', ')} failed, ${passed.size} passed`)
  return `${passed.size} of ${passed.size} tests`
}

/** What the tests print, or those of these names; that some fail is in it, too. */
async function runTests(program: string, server: string, names: string[] | undefined): Promise<string> {
  const only = names ? [`-test.run=^(${names.join('|')})$`] : []
  const env = { ...cleanEnvironment(), STORAGE_TESTS_SERVER: server }
  try {
    const { stdout } = await run(program, ['-test.v', ...only], { env, maxBuffer: 2 ** 28 })
    return stdout
  } catch (error) {
    if (error instanceof Error && 'stdout' in error && String(error.stdout).includes('--- FAIL')) {
      return String(error.stdout)
    }
    throw error
  }
}

function named(result: 'PASS' | 'FAIL', output: string): string[] {
  return [...output.matchAll(new RegExp(`^--- ${result}: (\\w+)`, 'gm'))].map(([, name]) => name ?? '')
}

/** Builds Kubernetes' own tests of its storage, once, with an edgetcd where they start an etcd. */
export async function buildStorageTests(): Promise<GoProgram> {
  const server = join(projectRoot, 'test/kubernetes/testdata/test_server.go')
  const version = createHash('sha256').update(readFileSync(server)).digest('hex').slice(0, 16)
  const path = join(cacheDir(`kubernetes-${KUBERNETES_VERSION}`), `storage-tests-${version}`)
  if (existsSync(path)) return { path }
  const dir = temporaryDir('storage-tests')
  try {
    const { stdout } = await run('go', ['mod', 'download', '-json', MODULE], { cwd: dir })
    const source = join(dir, 'apiserver')
    // Go's own copy must stay as it is, and is read-only.
    await run('cp', ['-R', (JSON.parse(stdout) as { Dir: string }).Dir, source])
    await run('chmod', ['-R', 'u+w', source])
    copyFileSync(server, join(source, PACKAGE, 'testserver/test_server.go'))
    await run('go', ['test', '-c', '-o', `${path}.new`, `./${PACKAGE}`], { cwd: source })
    renameSync(`${path}.new`, path)
    return { path }
  } catch (error) {
    return { missing: `they can't be built here: ${firstLines(error)}` }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
