/** Data directories long, odd, full, foreign and read-only: served, or refused in words that help. */
import { spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { temporaryDir } from '../support/paths.ts'
import { type Installation, install } from './installation.ts'
import { inMountNamespace, isRoot, whyNoMounts } from './machine.ts'
import { postgresDirectory, Server } from './server.ts'

let installation: Installation
let home: string

beforeAll(async () => {
  installation = await install(tmpdir(), 0o755)
})
afterAll(() => installation.remove())
beforeEach(() => {
  home = temporaryDir('directory')
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

function run(dataDir: string, prefix: string[] = []): Server {
  return new Server({ installation, dataDir, prefix })
}

async function expectServes(dataDir: string): Promise<void> {
  const server = run(dataDir)
  await server.started()
  expect(await server.query('select 1')).toEqual([[1]])
  await server.kill()
  // The socket's own short name outlives the server that was killed, as little as the PostgreSQL behind it.
  const again = run(dataDir)
  expect(await again.query('select 2')).toEqual([[2]])
  await again.stop()
}

/** A path under `home` of so many bytes. */
function pathOf(bytes: number): string {
  let path = home
  while (path.length < bytes - 201) path = join(path, 'd'.repeat(200))
  return join(path, 'e'.repeat(bytes - path.length - 1))
}

describe('serves', () => {
  test.each([1_100, 4_000])('a path of %i bytes', async (bytes) => {
    const dataDir = pathOf(bytes)
    expect(Buffer.byteLength(dataDir)).toBe(bytes)
    await expectServes(dataDir)
  })

  test('blanks, quotes, a newline and letters of other alphabets in the path', async () => {
    await expectServes(join(home, `a b'c"d$HOME\`e\nf;g`, 'données-データ', '-x'))
  })

  test('an existing empty directory, through a symbolic link', async () => {
    mkdirSync(join(home, 'real'))
    symlinkSync('real', join(home, 'link'))
    await expectServes(join(home, 'link'))
  })

  test('a directory that is a mount point', async (context) => {
    const why = whyNoMounts()
    context.skip(why !== undefined, why)
    const server = run(join(home, 'data'), inMountNamespace(mountTmpfs('256m')))
    await server.started()
    await server.stop()
  })
})

function mountTmpfs(size: string): string {
  mkdirSync(join(home, 'data'))
  return `mount -t tmpfs -o size=${size} tmpfs ${join(home, 'data')}`
}

describe('refuses', () => {
  test('a path that is longer than the system allows', async () => {
    expect(await run(pathOf(4_090)).refused()).toMatch(/path is longer than the system allows/)
  })

  test('a directory with something else in it, and leaves it alone', async () => {
    mkdirSync(join(home, 'data', 'member'), { recursive: true })
    expect(await run(join(home, 'data')).refused()).toMatch(
      /isn't empty and holds no data of edgetcd's .*"member"/,
    )
    expect(readdirSync(join(home, 'data'))).toEqual(['member'])
  })

  test('a PostgreSQL data directory that edgetcd has not made', async () => {
    mkdirSync(join(home, 'data'))
    writeFileSync(join(home, 'data', 'PG_VERSION'), '18\n')
    expect(await run(join(home, 'data')).refused()).toMatch(
      /is a PostgreSQL data directory, .*--database-url/,
    )
    expect(readdirSync(join(home, 'data'))).toEqual(['PG_VERSION'])
  })

  test('a file', async () => {
    writeFileSync(join(home, 'data'), '')
    expect(await run(join(home, 'data')).refused()).toMatch(/it is a file/)
    expect(await run(join(home, 'data', 'deeper')).refused()).toMatch(/a part of its path is a file/)
  })

  test('a read-only file system', async (context) => {
    const why = whyNoMounts()
    context.skip(why !== undefined, why)
    mkdirSync(join(home, 'data'))
    const mount = `mount -t tmpfs -o ro tmpfs ${join(home, 'data')}`
    expect(await run(join(home, 'data'), inMountNamespace(mount)).refused()).toMatch(
      /its file system is read-only/,
    )
  })

  test('a full disk, and serves once there is room', async (context) => {
    const why = whyNoMounts()
    context.skip(why !== undefined, why)
    const dataDir = join(home, 'data')
    const script = `${mountTmpfs('20m')}
"$@" && exit 1
ls -A ${dataDir} >${home}/left
mount -o remount,size=256m ${dataDir}`
    const server = run(dataDir, inMountNamespace(script))
    expect((await server.next(['refused'])).message).toMatch(
      /could not be created: .*No space left on device.*Free some/,
    )
    expect(await server.query('select 1')).toEqual([[1]])
    expect(readFileSync(join(home, 'left'), 'utf8')).toBe('lock\n')
    await server.stop()
  })
})

describe('refuses, and keeps for whoever can read it, a database', () => {
  let made: string

  beforeAll(async () => {
    made = temporaryDir('made')
    const server = new Server({ installation, dataDir: made })
    await server.started()
    await server.stop()
  })
  afterAll(() => rmSync(made, { recursive: true, force: true }))

  test('of another major version', async () => {
    writeFileSync(join(made, 'postgres', 'PG_VERSION'), '17\n')
    expect(await run(made).refused()).toMatch(
      /made by PostgreSQL 17, and this edgetcd comes with PostgreSQL 18/,
    )
    writeFileSync(join(made, 'postgres', 'PG_VERSION'), '18\n')
  })

  test('that is incomplete', async () => {
    const dataDir = join(home, 'data')
    cpSync(made, dataDir, { recursive: true })
    rmSync(join(dataDir, 'postgres', 'PG_VERSION'))
    expect(await run(dataDir).refused()).toMatch(/no complete PostgreSQL data directory/)
    expect(existsSync(join(dataDir, 'postgres', 'base'))).toBe(true)
  })

  test("that PostgreSQL itself can't start, in PostgreSQL's words", async () => {
    const configuration = join(made, 'postgres', 'postgresql.conf')
    const good = readFileSync(configuration, 'utf8')
    writeFileSync(configuration, `${good}\nshared_buffers = nonsense\n`)
    expect(await run(made).refused()).toMatch(
      /PostgreSQL didn't start on .*invalid value for parameter "shared_buffers"/,
    )
    writeFileSync(configuration, good)
    const server = run(made)
    await server.started()
    await server.stop()
  })

  test('no stale postmaster.pid stands in the way, whoever has its process id now', async () => {
    const running = run(made)
    await running.started()
    await running.stop()
    // PostgreSQL's own account has the process id now, or its check would see through it. The socket's lock file has
    // the same form.
    const { uid } = statSync(postgresDirectory(made))
    const other = spawn('sleep', ['60'], isRoot ? { uid, gid: uid } : {})
    for (const name of ['postmaster.pid', '.s.PGSQL.5432.lock'])
      writeFileSync(join(postgresDirectory(made), name), `${other.pid}\n/nowhere\n1\n5432\n.\n\n`)
    const server = run(made)
    await server.started()
    expect(await server.query('select 1')).toEqual([[1]])
    await server.stop()
    expect(other.exitCode ?? other.signalCode).toBeNull()
    other.kill()
    expect(existsSync(join(postgresDirectory(made), 'postmaster.pid'))).toBe(false)
  })
})
