import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheDir, projectRoot } from './paths.ts'
import { startProcess } from './process.ts'

/** A virtual environment's directory of programs, or why there is none. */
export type PythonEnvironment = { readonly bin: string } | { readonly missing: string }

const INSTALL_TIMEOUT_MS = 300_000

/**
 * A Python environment with exactly what `test/clients/CLIENT/requirements.txt` pins. It is kept in node_modules/.cache
 * and made anew only when the pins change, or the project has moved: its programs name their place. `missing` says why
 * there is none: no Python, or no way to PyPI.
 */
export async function pythonEnvironment(client: string): Promise<PythonEnvironment> {
  const requirements = join(projectRoot, 'test/clients', client, 'requirements.txt')
  const directory = cacheDir(`python-${client}`)
  const made = createHash('sha256').update(directory).update(readFileSync(requirements)).digest('hex')
  const bin = join(directory, 'bin')
  const installed = join(directory, 'installed')
  if (existsSync(installed) && readFileSync(installed, 'utf8') === made) return { bin }
  const run = (command: string, ...args: string[]) =>
    promisify(execFile)(command, args, { timeout: INSTALL_TIMEOUT_MS })
  try {
    await run('python3', '-m', 'venv', '--clear', directory)
    const install = ['install', '--quiet', '--disable-pip-version-check', '--requirement', requirements]
    await run(join(bin, 'python'), '-m', 'pip', ...install)
    writeFileSync(installed, made)
    return { bin }
  } catch (error) {
    const why = error instanceof Error ? error.message.split('\n').slice(0, 2).join(': ') : String(error)
    return { missing: `the Python packages of ${client} can't be installed here: ${why}` }
  }
}

/** What a run of Python's unittest came to. */
export interface UnittestResult {
  readonly ran: number
  readonly skipped: number
  readonly passed: boolean
  /** Everything that it printed, for the message of a test that fails. */
  readonly output: string
}

/** Runs unittest on modules, classes or files of tests with more variables in the environment, to its end. */
export async function runUnittest(
  bin: string,
  names: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<UnittestResult> {
  const args = ['-W', 'ignore', '-m', 'unittest', '--verbose', ...names]
  const child = startProcess(join(bin, 'python'), args, { env: { ...process.env, ...environment } })
  const code = await child.exited
  const output = child.output()
  const count = (pattern: RegExp) => Number(pattern.exec(output)?.[1] ?? 0)
  return {
    ran: count(/^Ran (\d+) tests? in /m),
    skipped: count(/^OK \(skipped=(\d+)\)$/m),
    passed: code === 0,
    output,
  }
}
