/** One PostgreSQL from its start to its end. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../environment.ts'
import type { Account } from './account.ts'
import type { Binaries } from './binaries.ts'
import { EmbeddedError } from './embedded-error.ts'
import { recordedPid, stopLeftovers } from './leftovers.ts'
import { forwardLog } from './postgres-log.ts'
import { FIXED_SETTINGS, settingArguments } from './settings.ts'
import { type Ending, supervise } from './supervise.ts'
import { workingDirectoryArgument } from './working-directory.ts'

/** How long children that lost their postmaster, or the kernel with their memory, may delay a start. */
const TAKEOVER_MS = 10_000
const TAKEOVER_POLL_MS = 50
const PROGRESS_EVERY_MS = 5_000
/** A clean shutdown writes what is in memory: 64 MB, on the slowest of disks. */
const CLOSE_MS = 30_000
/** The last lines of a PostgreSQL that has ended are in the pipe already, unless a child of it still lives. */
const LAST_WORDS_MS = 200

export interface Postmaster {
  /** Stops it and resolves when it has ended: connections are cut, what was committed is written. */
  close(): Promise<void>
  /** Resolves if it ends without having been asked to. */
  readonly ended: Promise<Error>
}

/**
 * Starts PostgreSQL on `directory`, an existing database that no process works in, and resolves when it accepts
 * connections; after a crash that is when it has replayed its log. Fails with an EmbeddedError that has its words.
 */
export async function startPostmaster(
  directory: string,
  binaries: Binaries,
  account: Account,
  log: Log,
): Promise<Postmaster> {
  const deadlineMs = performance.now() + TAKEOVER_MS
  for (;;) {
    const attempt = launch(directory, binaries, account, log)
    const failure = await attempt.started
    if (failure === undefined) return supervised(attempt, directory, log)
    if (!isTakenOver(failure) || performance.now() > deadlineMs)
      throw new EmbeddedError(`PostgreSQL didn't start on ${directory}: ${failure}`)
    await sleep(TAKEOVER_POLL_MS)
    await stopLeftovers(directory, log)
  }
}

/** PostgreSQL's words for: somebody's remains are in the way. */
function isTakenOver(failure: string): boolean {
  return /lock file ".*" already exists|pre-existing shared memory block/.test(failure)
}

interface Attempt {
  /** Why it failed, or undefined once it accepts connections. */
  readonly started: Promise<string | undefined>
  readonly ended: Promise<string>
  stop(): void
}

function launch(directory: string, binaries: Binaries, account: Account, log: Log): Attempt {
  const words = ['-D', workingDirectoryArgument(directory), ...settingArguments(FIXED_SETTINGS)]
  const environment = disregarding(recordedPid(directory))
  const child = supervise([binaries.postgres, ...words], { cwd: directory, account, environment })
  child.stdout.resume()
  let stopping = false
  const messages = forwardLog(child.stderr, log, () => stopping)
  const accepts = messages.says('database system is ready to accept connections').then(() => undefined)
  const ended = child.ended.then(async (ending) => {
    await Promise.race([messages.finished, sleep(LAST_WORDS_MS)])
    return describe(ending, messages.tail())
  })
  const progress = setInterval(
    () => log('info', 'PostgreSQL is still starting', { last: messages.tail() }),
    PROGRESS_EVERY_MS,
  )
  const started = Promise.race([accepts, ended]).finally(() => clearInterval(progress))
  const stop = () => {
    stopping = true
    child.stop()
  }
  return { started, ended, stop }
}

/**
 * The id in a stale postmaster.pid may since belong to any process of the account, or to a zombie that nobody
 * collects, and PostgreSQL would take it for a postmaster. It disregards the id that this variable names (meant for
 * pg_ctl), and keeps its other check, for children that still use the shared memory.
 */
function disregarding(pid: number | undefined): Record<string, string> {
  return pid === undefined ? {} : { PG_GRANDPARENT_PID: String(pid) }
}

function describe(ending: Ending, lastWords: string): string {
  if (ending.error !== undefined) return ending.error.message
  if (ending.abandoned) return 'its supervisor was killed'
  const end = `it ended with status ${ending.status}`
  return lastWords === '' ? end : `${end}; its last words: ${lastWords}`
}

function supervised(attempt: Attempt, directory: string, log: Log): Postmaster {
  let closing: Promise<void> | undefined
  const ended = new Promise<Error>((resolve) => {
    attempt.ended.then(async (why) => {
      if (closing !== undefined) return
      // If only the supervisor died, PostgreSQL would go on with nobody to stop it.
      await stopLeftovers(directory, log).catch((error: unknown) => log('error', String(error)))
      resolve(new EmbeddedError(`PostgreSQL has ended: ${why}`))
    })
  })
  const shutDown = async () => {
    attempt.stop()
    await Promise.race([attempt.ended, sleep(CLOSE_MS, undefined, { ref: false })])
    await stopLeftovers(directory, log)
  }
  return {
    ended,
    close: () => {
      closing ??= shutDown()
      return closing
    },
  }
}
