/**
 * What lies in the directory that the operator names:
 *
 * ```
 * DIR/postgres/   PostgreSQL's own data directory; owned by the account that PostgreSQL runs as, entered by no other
 * DIR/lock/       which server has it (lock.ts)
 * DIR/tls/        the certificate of --auto-tls
 * DIR/init-*, DIR/lock-*   being made; remains are removed by the next server
 * ```
 * PostgreSQL's directory is one level down so that it can be made on the side and appear by a rename, complete,
 * even where DIR is a mount point, and so that DIR itself may be one that only root enters.
 */
import { lchown, lstat, open, readdir, readFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { makeDirectory } from '../../make-directory.ts'
import { errorCode, errorText } from '../../thrown.ts'
import { EmbeddedError, unless } from './embedded-error.ts'
import { LOCK_CANDIDATE_PREFIX, LOCK_NAME } from './lock.ts'

/** PostgreSQL's own directory, which is there once a database was made. */
export const POSTGRES_NAME = 'postgres'
export const STAGING_PREFIX = 'init-'

export interface DataDirectory {
  /** The directory that the operator named, as an absolute path. */
  readonly root: string
  /** PostgreSQL's own directory in it, which may not exist yet. */
  readonly postgres: string
}

/**
 * Makes the directory, readable by nobody else, if it doesn't exist. Fails with an EmbeddedError when it can't be
 * made or used, or when it holds something that isn't edgetcd's; then nothing was changed.
 */
export async function openDataDirectory(dataDir: string): Promise<DataDirectory> {
  const root = resolve(dataDir)
  try {
    makeDirectory(root)
    refuseStrangers(root, await readdir(root))
    return { root, postgres: join(root, POSTGRES_NAME) }
  } catch (error) {
    throw explainBy(NOT_MADE, root, error)
  }
}

const ELSEWHERE = 'choose another with --data-dir'
const REASONS: Readonly<Record<string, string>> = {
  EACCES: `this user has no permission; run as the user who made it, or ${ELSEWHERE}`,
  EPERM: `the system doesn't permit it; run as the user who made it, or ${ELSEWHERE}`,
  EROFS: `its file system is read-only; ${ELSEWHERE}`,
  ENOTDIR: `a part of its path is a file; ${ELSEWHERE}`,
  EEXIST: `it is a file; ${ELSEWHERE}`,
  ENAMETOOLONG: `its path is longer than the system allows; ${ELSEWHERE}`,
  ENOSPC: 'its file system is full; free some space and start again',
  EDQUOT: "this user's quota is used up; free some space and start again",
}

/** The error of a failed system call on the data directory `root`, in words. Any other error comes back as it is. */
export function explain(root: string, error: unknown): unknown {
  return explainBy(REASONS, root, error)
}

/** Only of making it: later, something else may be missing. */
const NOT_MADE: typeof REASONS = { ...REASONS, ENOENT: `no directory can be made there; ${ELSEWHERE}` }

function explainBy(reasons: typeof REASONS, root: string, error: unknown): unknown {
  const reason = reasons[errorCode(error) ?? '']
  if (reason === undefined || error instanceof EmbeddedError) return error
  const detail = errorText(error)
  return new EmbeddedError(`The data directory ${root} can't be used: ${reason} (${detail}).`, {
    cause: error,
  })
}

function refuseStrangers(root: string, names: readonly string[]): void {
  if (names.includes('PG_VERSION'))
    throw new EmbeddedError(
      `${root} is a PostgreSQL data directory, and not one that edgetcd made. Start that PostgreSQL and give its ` +
        'URL with --database-url, or choose another directory with --data-dir. Nothing was changed.',
    )
  const stranger = names.find((name) => !isOurs(name))
  if (stranger !== undefined)
    throw new EmbeddedError(
      `${root} isn't empty and holds no data of edgetcd's (there is ${JSON.stringify(stranger)} in it). Choose an ` +
        'empty or a new directory with --data-dir. Nothing was changed.',
    )
}

function isOurs(name: string): boolean {
  if (name.startsWith(LOCK_CANDIDATE_PREFIX) || name.startsWith(STAGING_PREFIX)) return true
  // `tls` is where a certificate of the server's own making is kept; the last one stands at the top of every fresh ext4
  // volume.
  return [POSTGRES_NAME, LOCK_NAME, 'tls', 'lost+found'].includes(name)
}

/** The owner of PostgreSQL's directory, or undefined when there is none yet. A link to one is refused: it may change. */
export async function ownerOf(directory: string): Promise<{ uid: number; gid: number } | undefined> {
  const found = await unless(['ENOENT'], lstat(directory))
  if (found === undefined || found.isDirectory()) return found
  throw new EmbeddedError(`${directory} is no directory. Move it away, or choose another with --data-dir.`)
}

/**
 * Refuses what the PostgreSQL at hand, of major version `major`, can't read. PostgreSQL would refuse too, in words
 * that don't say what to do.
 */
export async function checkVersion(directory: DataDirectory, major: number): Promise<void> {
  const text = await unless(['ENOENT'], readFile(join(directory.postgres, 'PG_VERSION'), 'utf8'))
  if (text === undefined)
    throw new EmbeddedError(
      `${directory.postgres} is no complete PostgreSQL data directory (it has no PG_VERSION). Restore it from a ` +
        'backup, or choose another directory with --data-dir. Nothing was changed.',
    )
  const found = text.trim()
  if (found === String(major)) return
  throw new EmbeddedError(
    `${directory.postgres} was made by PostgreSQL ${found}, and this edgetcd comes with PostgreSQL ${major}, ` +
      'which can’t read it. Start the edgetcd that made it, and move its keys to a new directory from there. ' +
      'Nothing was changed.',
  )
}

/** Removes what starts that were killed while they made a database have left. Only for the lock's holder. */
export async function removeUnfinished(root: string): Promise<void> {
  for (const name of await readdir(root))
    if (name.startsWith(STAGING_PREFIX))
      // Retries: a killed initdb's children may still be writing.
      await rm(join(root, name), { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
}

/** Gives a directory and all in it to an account, the directory itself last, so that its owner says: all done. */
export async function giveTree(directory: string, owner: { uid: number; gid: number }): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true })
  for (const entry of entries) {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) await giveTree(path, owner)
    else await lchown(path, owner.uid, owner.gid)
  }
  await lchown(directory, owner.uid, owner.gid)
}

/** Makes the names in a directory durable: a rename counts only once its directory is on disk. */
export async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
