import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'

/** A child process with everything that it printed. */
export interface Child {
  readonly pid: number
  /** Standard output and error so far, in the order of arrival. */
  output(): string
  /** The exit code, or the name of the signal that ended it. */
  readonly exited: Promise<number | NodeJS.Signals>
  readonly running: boolean
  /** Signals the process, or with `group` its whole process group (only of a `detached` child). */
  signal(signal: NodeJS.Signals, options?: { group: boolean }): void
  /** SIGTERM, then SIGKILL after `graceMs`; resolves when the process is gone. */
  stop(graceMs?: number): Promise<void>
  /** The same for a `detached` child's whole process group; resolves when the last of it is gone. */
  stopGroup(graceMs?: number): Promise<void>
}

const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/** Starts a process that ends with the test run at the latest. */
export function startProcess(command: string, args: readonly string[], options: SpawnOptions = {}): Child {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
  alive.add(child)
  let output = ''
  let running = true
  const collect = (data: Buffer) => {
    output += data.toString()
  }
  child.stdout?.on('data', collect)
  child.stderr?.on('data', collect)
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    const end = (result: number | NodeJS.Signals) => {
      running = false
      alive.delete(child)
      resolve(result)
    }
    child.once('exit', (code, signal) => end(code ?? signal ?? -1))
    child.once('error', (error) => {
      output += `${error.message}\n`
      end(-1)
    })
  })
  return {
    pid: child.pid ?? -1,
    output: () => output,
    exited,
    get running() {
      return running
    },
    signal(signal, target) {
      signalQuietly(target?.group ? -(child.pid ?? 0) : (child.pid ?? 0), signal)
    },
    async stop(graceMs = 10_000) {
      if (!running) return
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
      await exited
      clearTimeout(timer)
    },
    async stopGroup(graceMs = 10_000) {
      const group = -(child.pid ?? 0)
      signalQuietly(group, 'SIGTERM')
      const timer = setTimeout(() => signalQuietly(group, 'SIGKILL'), graceMs)
      while (signalQuietly(group, 0)) await new Promise((resolve) => setTimeout(resolve, 20))
      clearTimeout(timer)
      await exited
    },
  }
}

/**
 * Sends a signal (0: none); gives whether there was somebody to get it. A process that is gone already is fine, one
 * that was never started is not.
 */
function signalQuietly(pid: number, signal: NodeJS.Signals | 0): boolean {
  if (pid === 0) throw new Error('the process was never started')
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false
    throw error
  }
}

/**
 * Asks `probe` every 20 ms until it gives true. Fails after `timeoutMs`, or at once when the child has ended,
 * with what the child printed.
 */
export async function waitUntilReady(
  name: string,
  child: Child,
  probe: () => Promise<boolean>,
  timeoutMs = 60_000,
): Promise<void> {
  const deadline = Date.now() + timeoutMs
  while (!(await probe())) {
    if (!child.running) throw new Error(`${name} ended while starting:\n${child.output()}`)
    if (Date.now() > deadline) {
      await child.stop(0)
      throw new Error(`${name} was not ready after ${timeoutMs} ms:\n${child.output()}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
