/** Starts program.ts as a process of its own, as anybody, and speaks with it. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { processesIn, recordedPid } from '../../src/store/embedded/leftovers.ts'
import type { Installation } from './installation.ts'

export interface Told {
  event: string
  message?: string
  name?: string
  ms?: number
  rows?: unknown[][]
  connection?: { host: string }
}

export interface RunOptions {
  installation: Installation
  dataDir: string
  /** Undefined: as this process. */
  uid?: number | undefined
  /** A command that runs the rest as its own command. */
  prefix?: string[]
}

export class Server {
  readonly child: ChildProcess
  readonly told: Told[] = []
  #listeners: (() => void)[] = []

  constructor({ installation, dataDir, uid, prefix = [] }: RunOptions) {
    const [command = '', ...words] = [...prefix, installation.node, installation.program, dataDir]
    this.child = spawn(command, words, {
      ...(uid === undefined ? {} : { uid, gid: uid }),
      cwd: '/',
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    if (this.child.stdout === null) throw new Error('no stdout')
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.told.push(JSON.parse(line) as Told)
      this.#wake()
    })
    this.child.once('close', () => {
      this.told.push({ event: 'gone' })
      this.#wake()
    })
  }

  get pid(): number {
    return this.child.pid ?? 0
  }

  /** The first line with one of these events, counted from the `from`th line; fails if the process ends before. */
  async next(events: string[], from = 0): Promise<Told> {
    for (;;) {
      const found = this.told.slice(from).find(({ event }) => events.includes(event))
      if (found !== undefined) return found
      if (this.told.some(({ event }) => event === 'gone'))
        throw new Error(`ended without ${events}: ${JSON.stringify(this.told.slice(-5))}`)
      await new Promise<void>((resolve) => this.#listeners.push(resolve))
    }
  }

  started(): Promise<Told> {
    return this.next(['started'])
  }

  async refused(): Promise<string> {
    const { event, message, name } = await this.next(['refused', 'started'])
    if (event === 'started') throw new Error('started, though it should have been refused')
    if (name !== 'EmbeddedError') throw new Error(`refused with a ${name}: ${message}`)
    return message ?? ''
  }

  /** Runs SQL, one statement at a time. */
  async query(sql: string): Promise<unknown[][]> {
    const from = this.told.length
    this.child.stdin?.write(`${sql}\n`)
    const answer = await this.next(['rows', 'failure'], from)
    if (answer.rows === undefined) throw new Error(answer.message)
    return answer.rows
  }

  async stop(): Promise<void> {
    this.child.kill('SIGTERM')
    await this.next(['closed'])
    await this.gone()
  }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL')
    await this.gone()
  }

  async gone(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit')
  }

  #wake(): void {
    for (const wake of this.#listeners.splice(0)) wake()
  }
}

/** Where PostgreSQL works for this data directory. */
export function postgresDirectory(dataDir: string): string {
  return join(dataDir, 'postgres')
}

/** PostgreSQL's processes on this data directory. */
export function postgresProcesses(dataDir: string): number[] {
  return processesIn(postgresDirectory(dataDir))
}

/** The process id of PostgreSQL's first process. */
export function postmasterOf(dataDir: string): number {
  const pid = recordedPid(postgresDirectory(dataDir))
  if (pid === undefined) throw new Error('no PostgreSQL runs')
  return pid
}

/** The supervising shells of this data directory: they, too, have it as their working directory. */
export function supervisors(dataDir: string): number[] {
  const here = statSync(postgresDirectory(dataDir)).ino
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        return statSync(`/proc/${pid}/cwd`).ino === here && command.includes('edgetcd-supervisor')
      } catch {
        return false
      }
    })
    .map(Number)
}

/** Polls until `holds`: for what happens in processes that can't be waited for. Fails after `timeoutMs`. */
export async function eventually(what: string, holds: () => boolean, timeoutMs = 10_000): Promise<number> {
  const startedMs = performance.now()
  while (!holds()) {
    if (performance.now() - startedMs > timeoutMs) throw new Error(`not within ${timeoutMs} ms: ${what}`)
    await sleep(10)
  }
  return performance.now() - startedMs
}
