/** PostgreSQL starts, serves and ends with its server, however that ends, and the next server takes over at once. */
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type Installation, install } from './installation.ts'
import {
  eventually,
  postgresDirectory,
  postgresProcesses,
  postmasterOf,
  Server,
  supervisors,
} from './server.ts'
import { makeTemplate, type Template } from './template.ts'

/** The bound on "within seconds". */
const ENDS_MS = 10_000

let installation: Installation
let template: Template
let dataDir: string
let servers: Server[]

beforeAll(async () => {
  installation = await install(tmpdir(), 0o755)
  template = await makeTemplate(installation)
})
afterAll(() => {
  template.remove()
  installation.remove()
})
beforeEach(() => {
  dataDir = template.copy()
  servers = []
})
afterEach(async () => {
  for (const server of servers) await server.kill()
  await allGone().finally(() => killAll(postgresProcesses(dataDir)))
  rmSync(dataDir, { recursive: true, force: true })
})

function run(): Server {
  const server = new Server({ installation, dataDir })
  servers.push(server)
  return server
}

function allGone(): Promise<number> {
  const none = () => postgresProcesses(dataDir).length === 0 && supervisors(dataDir).length === 0
  return eventually('no PostgreSQL and no supervisor are left', none, ENDS_MS)
}

async function started(): Promise<Server> {
  const server = run()
  await server.started()
  return server
}

async function withTable(): Promise<Server> {
  const server = await started()
  await server.query('create table acknowledged (n int)')
  return server
}

const rowsOf = async (server: Server) => (await server.query('select n from acknowledged order by n')).flat()

describe('a server that ends by itself', () => {
  test('makes a database, serves, leaves nothing running, and starts again with its data', async () => {
    rmSync(postgresDirectory(dataDir), { recursive: true })
    const first = await withTable()
    await first.query('insert into acknowledged values (1)')
    await first.stop()
    expect(postgresProcesses(dataDir)).toEqual([])
    expect(supervisors(dataDir)).toEqual([])
    expect(readdirSync(dataDir).sort()).toEqual(['lock', 'postgres'])
    expect(readdirSync(postgresDirectory(dataDir))).not.toContain('postmaster.pid')

    const second = run()
    expect((await second.started()).ms).toBeLessThan(ENDS_MS)
    expect(await rowsOf(second)).toEqual([1])
  })

  test('cuts the connections that are in the middle of something', async () => {
    const server = await started()
    server.child.stdin?.write('select pg_sleep(60)\n')
    await server.stop()
    expect(postgresProcesses(dataDir)).toEqual([])
  })

  test('tells when PostgreSQL ends under it, and why', async () => {
    const server = await started()
    killAll([postmasterOf(dataDir)])
    expect((await server.next(['ended'])).message).toMatch(/PostgreSQL has ended: it ended with status 137/)
    await allGone()
  })

  test('stops PostgreSQL when its supervisor is killed, rather than to go on without one', async () => {
    const server = await started()
    killAll(supervisors(dataDir))
    expect((await server.next(['ended'])).message).toMatch(/supervisor was killed/)
    await allGone()
  })
})

describe('kill -9', () => {
  test('of the server: PostgreSQL ends by itself within seconds', async () => {
    const server = await started()
    await server.kill()
    await allGone()
  })

  test('of the server at work: every acknowledged row is there at once after the next start, five times', async () => {
    await (await withTable()).stop()
    const acknowledged: number[] = []
    for (let round = 0; round < 5; round++) {
      const server = await started()
      for (let i = 0; i < 20; i++) {
        const n = acknowledged.length
        await server.query(`insert into acknowledged values (${n})`)
        acknowledged.push(n)
      }
      server.child.stdin?.write('insert into acknowledged select -1 from generate_series(1, 1000)\n')
      server.child.kill('SIGKILL')
      await server.gone()
    }
    expect((await rowsOf(await started())).filter((n) => n !== -1)).toEqual(acknowledged)
  })

  test('of the server, its supervisor and PostgreSQL, all at once', async () => {
    const server = await withTable()
    await server.query('insert into acknowledged values (7)')
    killAll([...supervisors(dataDir), ...postgresProcesses(dataDir), server.pid])
    expect(await rowsOf(await started())).toEqual([7])
  })

  test('of the server and its supervisor: the next start stops the PostgreSQL that lives on', async () => {
    const server = await withTable()
    await server.query('insert into acknowledged values (7)')
    const postmaster = postmasterOf(dataDir)
    killAll([...supervisors(dataDir), server.pid])
    await server.gone()
    expect(isAlive(postmaster)).toBe(true)
    expect(await rowsOf(await started())).toEqual([7])
    expect(isAlive(postmaster)).toBe(false)
  })

  test('of all but one busy child of PostgreSQL, which holds its shared memory', async () => {
    const server = await withTable()
    await server.query('insert into acknowledged values (7)')
    const [[child]] = (await server.query('select pg_backend_pid()')) as [[number]]
    server.child.stdin?.write('do $$ begin loop end loop; end $$\n')
    await eventually('it is busy', () => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes(' DO'))
    const others = postgresProcesses(dataDir).filter((pid) => pid !== child)
    killAll([...supervisors(dataDir), ...others, server.pid])
    await server.gone()
    expect(isAlive(child)).toBe(true)
    expect(await rowsOf(await started())).toEqual([7])
    expect(isAlive(child)).toBe(false)
  })

  test('while the database is made: the next start makes it anew', async () => {
    rmSync(postgresDirectory(dataDir), { recursive: true })
    const server = run()
    await eventually('initdb writes', () => unfinished().some((name) => listing(name).includes('base')))
    await server.kill()
    await eventually('initdb and what it started end', () => commandsOf(installation).length === 0, ENDS_MS)
    const next = await started()
    expect(await next.query('select 1')).toEqual([[1]])
    expect(unfinished()).toEqual([])
  })
})

function killAll(pids: readonly number[]): void {
  for (const pid of pids) process.kill(pid, 'SIGKILL')
}

function isAlive(pid: number): boolean {
  return postgresProcesses(dataDir).includes(pid)
}

/** The processes that run this installation's programs. */
function commandsOf({ native }: Installation): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8')]
      } catch {
        return []
      }
    })
    .filter((command) => command.includes(native))
}

function unfinished(): string[] {
  return readdirSync(dataDir).filter((name) => name.startsWith('init-'))
}

function listing(name: string): string[] {
  try {
    return readdirSync(join(dataDir, name, 'postgres'))
  } catch {
    return []
  }
}
