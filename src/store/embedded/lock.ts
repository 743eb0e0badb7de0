/**
 * One server a directory. Node has no file locks, so the lock is a listening Unix socket: whether its holder lives
 * is then something the kernel knows. It is freed by kill -9 as by a clean end, a process id that was given to
 * another process can't be mistaken for the holder, and it works between containers that share a volume.
 *
 * ```
 * DIR/lock/4711-9f3a61c2     the holder's socket, in a directory with room for one
 * DIR/lock-Xk2pQ1/4712-…     a starter's, made ready on the side
 * ```
 * A starter listens in a directory of its own and then renames that to `lock`. The kernel replaces `lock` only if
 * it is empty, so of any number of starters one wins. A socket that refuses connections is stale, and is removed
 * by its name, which nobody else ever uses: a starter that comes late with its removal finds the name gone and
 * does no harm. No order of these steps lets two starters in.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chown, mkdtemp, readdir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises'
import { connect, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { errorCode } from '../../thrown.ts'
import { EmbeddedError, unless } from './embedded-error.ts'
import { type ShortPath, shortPath } from './short-path.ts'

export const LOCK_NAME = 'lock'
export const LOCK_CANDIDATE_PREFIX = 'lock-'

/** Enough for any crowd of starters: each failed attempt means that another one got ahead. */
const ATTEMPTS_MAX = 50

export interface Lock {
  /** Frees the directory for the next server. */
  release(): Promise<void>
}

/**
 * Takes the lock of `directory`, an absolute path. Fails with an EmbeddedError that names the holder's process id
 * when another server has it, at once.
 */
export async function lockDirectory(directory: string): Promise<Lock> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const candidate = await makeCandidate(directory)
    // Undefined: another starter's tidying removed it before it listened. That one has the lock, so look again.
    if (candidate === undefined) continue
    try {
      await refuseIfHeld(directory)
      await rename(candidate.path, join(directory, LOCK_NAME))
      // Gone if another starter, killed since, took it for stale in the moment before it listened.
      await stat(join(directory, LOCK_NAME, candidate.name))
    } catch (error) {
      await candidate.discard()
      if (['ENOTEMPTY', 'EEXIST', 'ENOENT'].includes(errorCode(error) ?? '')) continue
      throw error
    }
    await removeStaleCandidates(directory)
    return { release: () => candidate.release(join(directory, LOCK_NAME)) }
  }
  throw new EmbeddedError(`${directory} could not be locked: too many servers start on it at once.`)
}

/** Whether something listens at the socket `path`: 'gone' when there is no such file. */
export function probeSocket(path: string): Promise<'alive' | 'stale' | 'gone'> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve('alive')
    })
    socket.once('error', (error) => {
      const code = errorCode(error)
      if (code === 'ECONNREFUSED') resolve('stale')
      else if (code === 'ENOENT') resolve('gone')
      // The queue of those who wait to be accepted is full: the holder is stopped or very busy, but lives.
      else if (code === 'EAGAIN') resolve('alive')
      // It ended while we asked: ask again.
      else if (code === 'ECONNRESET') resolve(probeSocket(path))
      else reject(error)
    })
  })
}

class Candidate {
  readonly #server: Server
  readonly #short: ShortPath
  readonly path: string
  readonly name: string

  constructor(path: string, name: string, server: Server, short: ShortPath) {
    this.path = path
    this.name = name
    this.#server = server
    this.#short = short
  }

  async release(directory: string): Promise<void> {
    await unless(['ENOENT'], unlink(join(directory, this.name)))
    await new Promise((resolve) => this.#server.close(resolve))
    this.#short.release()
  }

  async discard(): Promise<void> {
    await this.release(this.path)
    await rm(this.path, { recursive: true, force: true })
  }
}

async function makeCandidate(directory: string): Promise<Candidate | undefined> {
  const path = await mkdtemp(join(directory, LOCK_CANDIDATE_PREFIX))
  let short: ShortPath | undefined
  let server: Server | undefined
  try {
    short = shortPath(path)
    const name = `${process.pid}-${randomBytes(4).toString('hex')}`
    server = await listen(join(short.path, name))
    // What root makes in a user's directory must not keep that user out later.
    const { uid } = await stat(directory)
    if (uid !== 0 && process.geteuid?.() === 0)
      for (const made of [join(path, name), path]) await chown(made, uid, -1)
    return new Candidate(path, name, server, short)
  } catch (error) {
    server?.close()
    short?.release()
    // By the directory, not by the error: libuv reports a missing one as EACCES.
    const gone = !existsSync(path)
    await rm(path, { recursive: true, force: true })
    if (gone) return undefined
    if (errorCode(error) === undefined || isPlainFailure(error)) throw error
    throw new EmbeddedError(
      `${directory} can't hold a Unix socket (${errorCode(error)}), which edgetcd and its PostgreSQL need: ` +
        'choose a directory on a local file system with --data-dir.',
      { cause: error },
    )
  }
}

/** Failures that have nothing to do with sockets, and that whoever made the directory explains. */
function isPlainFailure(error: unknown): boolean {
  return ['EACCES', 'EROFS', 'ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE'].includes(errorCode(error) ?? '')
}

function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy())
    server.unref()
    server.once('error', reject)
    server.listen(path, () => resolve(server))
  })
}

async function refuseIfHeld(directory: string): Promise<void> {
  const lock = join(directory, LOCK_NAME)
  for (const name of (await unless(['ENOENT'], readdir(lock))) ?? []) {
    const state = await probeEntry(lock, name)
    if (state === 'stale') await unless(['ENOENT'], unlink(join(lock, name)))
    if (state === 'alive') throw heldBy(directory, name)
  }
}

function heldBy(directory: string, name: string): EmbeddedError {
  const pid = Number.parseInt(name, 10)
  return new EmbeddedError(
    `Another edgetcd (process ${pid}) serves ${directory}. Stop it first (kill ${pid}), or give this one a ` +
      'directory of its own with --data-dir. Nothing was changed.',
  )
}

async function probeEntry(directory: string, name: string): Promise<'alive' | 'stale' | 'gone'> {
  const short = await openShort(directory)
  if (short === undefined) return 'gone'
  try {
    return await probeSocket(join(short.path, name))
  } finally {
    short.release()
  }
}

function openShort(directory: string): Promise<ShortPath | undefined> {
  return unless(['ENOENT'], new Promise((resolve) => resolve(shortPath(directory))))
}

/** Removes what starters that were killed have left. Those that live are left to find the lock taken. */
async function removeStaleCandidates(directory: string): Promise<void> {
  for (const entry of await readdir(directory)) {
    if (!entry.startsWith(LOCK_CANDIDATE_PREFIX)) continue
    const candidate = join(directory, entry)
    for (const name of (await unless(['ENOENT'], readdir(candidate))) ?? [])
      if ((await probeEntry(candidate, name)) === 'stale')
        await unless(['ENOENT'], unlink(join(candidate, name)))
    await unless(['ENOENT', 'ENOTEMPTY', 'EEXIST'], rmdir(candidate))
  }
}
