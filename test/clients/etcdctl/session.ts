import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** What one run of etcdctl has printed, and how it ended. */
interface Run {
  readonly child: ChildProcess
  readonly ended: Promise<string>
  output: string
  errors: string
}

/** Something etcdctl is made to do. `{name}` in what it is given stands for what was saved under that name. */
export type Step =
  /** Runs to its end. `save` keeps what a pattern finds in the output, which is forgotten if it is to be `quiet`. */
  | {
      readonly run: string
      readonly stdin?: string
      readonly save?: Readonly<Record<string, RegExp>>
      readonly quiet?: boolean
    }
  /** Begins, and goes on beside the next steps. With `shell`, words after `--` are one command of the shell. */
  | { readonly start: string; readonly as: string; readonly stdin?: string }
  /** Waits until what was started has printed so much. */
  | { readonly await: string; readonly prints: RegExp }
  /** Writes to what was started. */
  | { readonly tell: string; readonly line: string }
  /** Interrupts what was started, as Ctrl-C does. */
  | { readonly stop: string }

const PATIENCE_MS = 20_000

/** A person at a terminal: gives etcdctl's commands to one server, and keeps what it prints. */
export class Session {
  readonly #program: string
  readonly #endpoint: string
  readonly #patienceMs: number
  readonly #names: Map<string, string>
  readonly #started = new Map<string, Run>()

  constructor(
    program: string,
    endpoint: string,
    names: Readonly<Record<string, string>>,
    patienceMs = PATIENCE_MS,
  ) {
    this.#patienceMs = patienceMs
    this.#program = program
    this.#endpoint = endpoint
    this.#names = new Map(Object.entries(names))
  }

  /** Takes the steps one after another; gives what each printed. */
  async take(steps: readonly Step[]): Promise<string[]> {
    const printed: string[] = []
    try {
      for (const step of steps) {
        const text = await this.#take(step)
        if (text !== undefined) printed.push(text)
      }
      return printed
    } finally {
      for (const { child } of this.#started.values()) child.kill('SIGKILL')
      this.#started.clear()
    }
  }

  async #take(step: Step): Promise<string | undefined> {
    if ('run' in step) {
      const run = this.#start(step.run, step.stdin ?? '')
      const outcome = await this.#outcome(run)
      for (const [name, pattern] of Object.entries(step.save ?? {})) {
        this.#names.set(name, pattern.exec(run.output)?.[1] ?? '')
      }
      return step.quiet === true ? undefined : `$ etcdctl ${step.run}\n${outcome}`
    }
    if ('start' in step) {
      this.#started.set(step.as, this.#start(step.start, step.stdin))
      return undefined
    }
    if ('await' in step) return await this.#printed(step.await, step.prints)
    if ('tell' in step) {
      this.#running(step.tell).child.stdin?.write(`${this.#filled(step.line)}\n`)
      return undefined
    }
    const run = this.#running(step.stop)
    run.child.kill('SIGINT')
    const outcome = await this.#outcome(run)
    this.#started.delete(step.stop)
    return `${step.stop}:\n${outcome}`
  }

  /** Without `stdin` it stays open. */
  #start(command: string, stdin?: string): Run {
    const words = split(this.#filled(command))
    const endpoint = words.includes('--endpoints') ? [] : ['--endpoints', this.#endpoint]
    const child = spawn(this.#program, [...endpoint, ...words], {
      env: { PATH: process.env.PATH },
    })
    // It may end before it has read what it is told.
    child.stdin.on('error', () => {})
    if (stdin !== undefined) child.stdin.end(this.#filled(stdin))
    const ended = once(child, 'close').then(([code, signal]) => `exit ${code ?? signal}`)
    const run: Run = { child, ended, output: '', errors: '' }
    child.stdout.on('data', (data: Buffer) => {
      run.output += data.toString()
    })
    child.stderr.on('data', (data: Buffer) => {
      run.errors += data.toString()
    })
    return run
  }

  async #outcome(run: Run): Promise<string> {
    const timer = setTimeout(() => run.child.kill('SIGKILL'), this.#patienceMs)
    const end = await run.ended
    clearTimeout(timer)
    return `${run.output}${run.errors}${end}\n`
  }

  async #printed(name: string, pattern: RegExp): Promise<undefined> {
    const run = this.#running(name)
    const timeout = AbortSignal.timeout(this.#patienceMs)
    while (!pattern.test(run.output)) {
      try {
        await once(run.child.stdout ?? run.child, 'data', { signal: timeout })
      } catch (error) {
        throw new Error(`${name} doesn't print ${pattern}:\n${run.output}${run.errors}`, { cause: error })
      }
    }
  }

  #running(name: string): Run {
    const run = this.#started.get(name)
    if (run === undefined) throw new Error(`${name} was not started`)
    return run
  }

  #filled(text: string): string {
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => this.#names.get(name) ?? whole)
  }
}

/** Words as a shell would see them, with single quotes only. */
function split(command: string): string[] {
  return [...command.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '')
}
