/**
 * What a server that was killed leaves running. Its supervisor is stopping PostgreSQL, or was killed too and
 * PostgreSQL still serves, or only PostgreSQL's children are left. All of them must be gone before the next
 * PostgreSQL starts on the directory.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Log } from '../../environment.ts'
import { errorCode } from '../../thrown.ts'
import { EmbeddedError } from './embedded-error.ts'
import { probeSocket } from './lock.ts'
import { PORT } from './settings.ts'
import { shortPath } from './short-path.ts'

const POLL_MS = 20
/** A fast shutdown writes what is in memory, and gets this long for it. */
const FAST_SHUTDOWN_MS = 3_000
/** An immediate one leaves that to the next start, and takes PostgreSQL itself at most five seconds. */
const IMMEDIATE_SHUTDOWN_MS = 10_000
const GIVE_UP_MS = 15_000

/**
 * Stops every PostgreSQL process that works in `directory`, and resolves when there is none. Only for the holder of
 * the directory's lock. Fails with an EmbeddedError when one can't be stopped.
 */
export async function stopLeftovers(directory: string, log: Log): Promise<void> {
  const startedMs = performance.now()
  let sent: NodeJS.Signals | undefined
  for (;;) {
    const pids = processesIn(directory)
    if (pids.length === 0 && !(await someoneAnswers(directory))) return
    const elapsedMs = performance.now() - startedMs
    if (elapsedMs > GIVE_UP_MS) throw stillRunning(directory, pids)
    const postmaster = pids.find((pid) => pid === recordedPid(directory))
    const signal = signalFor(elapsedMs, postmaster !== undefined)
    if (signal !== sent) {
      const targets = signal === 'SIGKILL' || postmaster === undefined ? pids : [postmaster]
      if (targets.length > 0) log('info', 'stopping what is left of PostgreSQL', { signal, pids: targets })
      else log('info', 'waiting for a PostgreSQL that answers but is no process here')
      for (const pid of targets) send(pid, signal)
      sent = signal
    }
    await sleep(POLL_MS)
  }
}

/** Children without their postmaster have nothing left to save: they only have to go. */
function signalFor(elapsedMs: number, hasPostmaster: boolean): NodeJS.Signals {
  if (elapsedMs > IMMEDIATE_SHUTDOWN_MS) return 'SIGKILL'
  return hasPostmaster && elapsedMs < FAST_SHUTDOWN_MS ? 'SIGINT' : 'SIGQUIT'
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch (error) {
    if (errorCode(error) !== 'ESRCH') throw error
  }
}

function stillRunning(directory: string, pids: readonly number[]): EmbeddedError {
  const who = pids.length > 0 ? `processes ${pids.join(', ')}` : 'in another container, perhaps'
  return new EmbeddedError(
    `A PostgreSQL (${who}) still works in ${directory} and doesn't stop. Stop it, and start again. ` +
      'Nothing was changed.',
  )
}

/** The process id in postmaster.pid: the postmaster's, or what was once one's. Undefined when it ended cleanly. */
export function recordedPid(directory: string): number | undefined {
  const file = join(directory, 'postmaster.pid')
  if (!existsSync(file)) return undefined
  const pid = Number.parseInt(readFileSync(file, 'utf8'), 10)
  return pid > 0 ? pid : undefined
}

/**
 * The PostgreSQL processes that work in `directory`, zombies not counted. All of them stay in it as their working
 * directory, which a process that has merely inherited an old process id doesn't. Where the system doesn't tell
 * working directories, only the recorded postmaster is found; PostgreSQL's own check of its shared memory is then
 * what keeps a new one from starting beside its children.
 */
export function processesIn(directory: string): number[] {
  if (!existsSync('/proc/self/cwd')) return processByRecord(directory)
  const here = statSync(directory, { bigint: true })
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const there = statSync(`/proc/${pid}/cwd`, { bigint: true })
        return there.ino === here.ino && there.dev === here.dev && isPostgres(`/proc/${pid}/comm`)
      } catch (error) {
        // Gone meanwhile, a zombie, or another user's.
        if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(errorCode(error) ?? '')) return false
        throw error
      }
    })
    .map(Number)
}

function isPostgres(commFile: string): boolean {
  return readFileSync(commFile, 'utf8').trim() === 'postgres'
}

function processByRecord(directory: string): number[] {
  const pid = recordedPid(directory)
  if (pid === undefined) return []
  try {
    const line = execFileSync('ps', ['-o', 'state=,comm=', '-p', String(pid)], { encoding: 'utf8' })
    return /postgres/.test(line) && !line.trim().startsWith('Z') ? [pid] : []
  } catch {
    // ps's way to say that there is no such process.
    return []
  }
}

/** A postmaster of another container that shares the volume has no process here, but its socket answers. */
async function someoneAnswers(directory: string): Promise<boolean> {
  const socket = `.s.PGSQL.${PORT}`
  if (!existsSync(join(directory, socket))) return false
  const short = shortPath(directory)
  try {
    return (await probeSocket(join(short.path, socket))) === 'alive'
  } finally {
    short.release()
  }
}
