/** Whoever starts the server, wherever it is installed: PostgreSQL runs, and nobody else on the machine reaches it. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, type TestContext, test } from 'vitest'
import { temporaryDir } from '../support/paths.ts'
import { type Installation, install } from './installation.ts'
import {
  inMountNamespace,
  isRoot,
  NAMELESS_UID,
  PLAIN_UID,
  STRANGER_UID,
  whyNoMounts,
  whyNoUserNamespaces,
} from './machine.ts'
import { eventually, postgresDirectory, postgresProcesses, type RunOptions, Server } from './server.ts'

let installation: Installation
let home: string
let servers: Server[]

beforeAll(async () => {
  installation = await install(tmpdir(), 0o755)
})
afterAll(() => installation.remove())
beforeEach(() => {
  home = temporaryDir('access')
  chmodSync(home, 0o755)
  servers = []
})
afterEach(async () => {
  for (const server of servers) await server.kill()
  const directories = readdirSync(home).map((name) => join(home, name))
  const none = () =>
    directories.every(
      (name) => !readdirSync(name).includes('postgres') || postgresProcesses(name).length === 0,
    )
  await eventually('no PostgreSQL is left', none)
  rmSync(home, { recursive: true, force: true })
})

function run(options: Partial<RunOptions> & { dataDir: string }): Server {
  const server = new Server({ installation, ...options })
  servers.push(server)
  return server
}

/** A data directory that `uid` owns and anybody may enter. */
function directoryOf(uid: number): string {
  const dataDir = join(home, 'data')
  mkdirSync(dataDir)
  chmodSync(dataDir, 0o755)
  chownSync(dataDir, uid, uid)
  return dataDir
}

const ownerOf = (path: string) => statSync(path).uid
const skipUnlessRoot = (context: TestContext) => context.skip(!isRoot, 'needs root, to become somebody else')

/** What `uid` gets when it tries PostgreSQL's socket, or to list the directory that it lies in. */
function asStranger(uid: number, dataDir: string): string {
  const script = `
    const socket = require('node:net').connect(process.argv[1] + '/.s.PGSQL.5432')
    socket.on('connect', () => { console.log('connected'); process.exit() })
    socket.on('error', (error) => {
      try { require('node:fs').readdirSync(process.argv[1]); console.log('listed') }
      catch (listing) { console.log(error.code, listing.code) }
    })`
  const words = ['-e', script, postgresDirectory(dataDir)]
  return spawnSync(installation.node, words, { uid, gid: uid, cwd: '/', encoding: 'utf8' }).stdout.trim()
}

/** The TCP and UDP sockets that PostgreSQL's processes hold. */
function networkSockets(dataDir: string): string[] {
  const inodes = new Set(
    ['tcp', 'tcp6', 'udp', 'udp6']
      .map((name) => `/proc/net/${name}`)
      .flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(1))
      .map((line) => `socket:[${line.trim().split(/\s+/)[9]}]`),
  )
  return postgresProcesses(dataDir)
    .flatMap((pid) => unlessGone(() => readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`)))
    .flatMap((fd) => unlessGone(() => [readlinkSync(fd)]))
    .filter((target) => inodes.has(target))
}

/** What is read of a process, which may have ended meanwhile, or closed its file. */
function unlessGone(read: () => string[]): string[] {
  try {
    return read()
  } catch {
    return []
  }
}

async function expectPrivate(server: Server, dataDir: string): Promise<void> {
  expect(await server.query('select 1')).toEqual([[1]])
  expect(statSync(postgresDirectory(dataDir)).mode & 0o777).toBe(0o700)
  expect(networkSockets(dataDir)).toEqual([])
  if (isRoot) expect(asStranger(STRANGER_UID, dataDir)).toBe('EACCES EACCES')
}

describe('a plain user', () => {
  test('runs it as itself, and nobody else reaches it', async () => {
    const uid = isRoot ? PLAIN_UID : (process.geteuid?.() ?? 0)
    const dataDir = directoryOf(uid)
    const server = run({ dataDir, uid: isRoot ? uid : undefined })
    await server.started()
    expect(ownerOf(postgresDirectory(dataDir))).toBe(uid)
    await expectPrivate(server, dataDir)
  })

  test('without an account', async (context) => {
    const why = whyNoUserNamespaces()
    context.skip(why !== undefined, why)
    const dataDir = directoryOf(NAMELESS_UID)
    const server = run({ dataDir, uid: NAMELESS_UID })
    await server.started()
    expect(ownerOf(postgresDirectory(dataDir))).toBe(NAMELESS_UID)
    await expectPrivate(server, dataDir)
  })

  test("is told whose the data is when it isn't its own", async (context) => {
    skipUnlessRoot(context)
    const dataDir = directoryOf(PLAIN_UID)
    const first = run({ dataDir, uid: PLAIN_UID })
    await first.started()
    await first.stop()
    chmodSync(dataDir, 0o777)
    rmSync(join(dataDir, 'lock'), { recursive: true })
    const message = await run({ dataDir, uid: STRANGER_UID }).refused()
    expect(message).toContain(`belongs to user id ${PLAIN_UID}, and this is user id ${STRANGER_UID}`)
  })

  test('is told when it may not write there', async (context) => {
    skipUnlessRoot(context)
    const dataDir = directoryOf(0)
    const message = await run({ dataDir, uid: PLAIN_UID }).refused()
    expect(message).toMatch(/can't be used: this user has no permission/)
  })
})

test('an npm that was told to run no install scripts', async () => {
  const bare = await install(tmpdir(), 0o755)
  try {
    const libraries = join(bare.native, 'lib')
    const links = readdirSync(libraries).filter((name) => lstatSync(join(libraries, name)).isSymbolicLink())
    expect(links).not.toEqual([])
    for (const name of links) rmSync(join(libraries, name))
    const server = run({ installation: bare, dataDir: join(home, 'data') })
    expect(await server.query('select 1')).toEqual([[1]])
    await server.stop()
  } finally {
    bare.remove()
  }
})

describe('root', () => {
  beforeEach(skipUnlessRoot)

  test('runs it under an id without an account, and nobody else reaches it', async () => {
    const dataDir = directoryOf(0)
    const server = run({ dataDir })
    await server.started()
    const uid = ownerOf(postgresDirectory(dataDir))
    expect(readFileSync('/etc/passwd', 'utf8')).not.toMatch(new RegExp(`^[^:]*:[^:]*:${uid}:`, 'm'))
    const owners = postgresProcesses(dataDir).flatMap((pid) =>
      unlessGone(() => [String(ownerOf(`/proc/${pid}`))]),
    )
    expect(new Set(owners)).toEqual(new Set([String(uid)]))
    await expectPrivate(server, dataDir)
  })

  test('gives each server that runs an id of its own', async () => {
    const [one, two] = [join(home, 'one'), join(home, 'two')]
    await run({ dataDir: one }).started()
    await run({ dataDir: two }).started()
    expect(ownerOf(postgresDirectory(one))).not.toBe(ownerOf(postgresDirectory(two)))
    expect(asStranger(ownerOf(postgresDirectory(one)), two)).toBe('EACCES EACCES')
  })

  test('needs no postgres account', async (context) => {
    const why = whyNoMounts()
    context.skip(why !== undefined, why)
    const passwd = join(home, 'passwd')
    writeFileSync(passwd, 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n')
    const prefix = inMountNamespace(`mount --bind ${passwd} /etc/passwd`)
    const dataDir = join(home, 'data')
    const server = run({ dataDir, prefix })
    await server.started()
    rmSync(passwd)
    await expectPrivate(server, dataDir)
  })

  test('may have the checkout and the data where only root may enter', async () => {
    const closed = await install(tmpdir(), 0o700)
    try {
      const dataDir = join(home, 'closed', 'data')
      mkdirSync(join(home, 'closed'), { mode: 0o700 })
      const server = run({ installation: closed, dataDir })
      await server.started()
      expect(await server.query('select 1')).toEqual([[1]])
      await server.stop()
      const again = run({ installation: closed, dataDir })
      expect(await again.query('select 2')).toEqual([[2]])
      await again.stop()
      rmSync(dataDir, { recursive: true })
    } finally {
      closed.remove()
    }
  })

  test('can serve the data of a plain user, who can go on with it afterwards', async () => {
    const dataDir = directoryOf(PLAIN_UID)
    const first = run({ dataDir, uid: PLAIN_UID })
    await first.query('create table kept (n int)')
    await first.stop()
    const asRoot = run({ dataDir })
    await asRoot.query('insert into kept values (1)')
    expect(ownerOf(postgresDirectory(dataDir))).toBe(PLAIN_UID)
    await asRoot.kill()
    const again = run({ dataDir, uid: PLAIN_UID })
    expect(await again.query('select n from kept')).toEqual([[1]])
  })

  test('can serve data that a restore has given to root', async () => {
    const dataDir = directoryOf(0)
    const first = run({ dataDir })
    await first.query('create table kept (n int)')
    await first.stop()
    spawnSync('chown', ['-R', '0:0', postgresDirectory(dataDir)])
    const again = run({ dataDir })
    expect(await again.query('select n from kept')).toEqual([])
    expect(ownerOf(postgresDirectory(dataDir))).not.toBe(0)
  })
})
