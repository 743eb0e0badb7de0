/**
 * Children that don't outlive the server, however it ends. Between the server and PostgreSQL stands a shell of a
 * megabyte, in a session of its own: the terminal's Ctrl-C, or a signal to the server's process group, doesn't
 * reach PostgreSQL before the server has finished what it had accepted. The shell holds the reading end of a pipe
 * whose writing end only the server has. When the server ends, by kill -9 too, the kernel closes the pipe, the
 * read ends, and the shell stops PostgreSQL and goes.
 */
import { spawn } from 'node:child_process'
import { type Readable, Writable } from 'node:stream'
import type { Account } from './account.ts'
import { EmbeddedError } from './embedded-error.ts'

/**
 * SIGINT is PostgreSQL's fast shutdown. SIGTERM goes before it for the moments before PostgreSQL listens to
 * signals: a shell's background command is born deaf to SIGINT, not to SIGTERM. A live server watches the shutdown
 * that it has asked for itself; after a dead one SIGQUIT, the immediate shutdown, ends one that takes long.
 */
const SCRIPT = `
"$@" 3<&- </dev/null &
child=$!
exec >/dev/null 2>&1
( read -r asked <&3
  kill -TERM $child
  kill -INT $child
  [ -n "$asked" ] || { cd / && sleep 5 && kill -QUIT $child; }
) &
watch=$!
exec 3<&-
wait $child
status=$?
kill -KILL $watch
wait $watch
exit $status
`

export interface Supervised {
  readonly stdout: Readable
  readonly stderr: Readable
  /** Asks the child to end. */
  stop(): void
  /** Resolves when the child has ended. It never rejects: what went wrong is in the Ending. */
  readonly ended: Promise<Ending>
}

/** `status` is the child's exit status as a shell tells it: 128 and the signal's number when a signal ended it. */
export interface Ending {
  readonly status?: number
  /** The child was never started. */
  readonly error?: Error
  /** The shell was killed, so the child may live. */
  readonly abandoned: boolean
}

/**
 * Runs `command` (an absolute path and its arguments) in the directory `cwd` as `account`. The directory is entered
 * before the privileges are dropped, so the account needs no access to its parents.
 */
export function supervise(
  command: readonly string[],
  options: { cwd: string; account: Account; environment?: Readonly<Record<string, string>> },
): Supervised {
  const child = spawn('/bin/sh', ['-c', SCRIPT, 'edgetcd-supervisor', ...command], {
    ...options.account,
    cwd: options.cwd,
    env: { ...childEnvironment(), ...options.environment },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  // It says by being open that the server lives.
  const life = child.stdio[3]
  // The shell may have gone before it was told to.
  life?.on('error', () => {})
  const ended = new Promise<Ending>((resolve) => {
    child.once('error', (error) => resolve({ error, abandoned: false }))
    child.once('exit', (status, signal) =>
      resolve(status === null ? { abandoned: signal !== null } : { status, abandoned: false }),
    )
  })
  const { stdout, stderr } = child
  if (stdout === null || stderr === null)
    throw new EmbeddedError('This process may not open more files (ulimit -n).')
  const stop = () => {
    if (life instanceof Writable) life.end('stop\n')
  }
  return { stdout, stderr, stop, ended }
}

/**
 * What a child sees of this process's environment: where programs and libraries are. Not the PG* variables, which
 * would change its settings, and not the secrets that a server is often given this way.
 */
export function childEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).filter(([name]) => /^(PATH|LD_|DYLD_|NIX_LD)/.test(name))
  return { ...Object.fromEntries(kept.map(([name, value]) => [name, value ?? ''])), LC_ALL: 'C', TZ: 'UTC' }
}
