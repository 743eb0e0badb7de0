import { join } from 'node:path'
import { cleanEnvironment } from '../support/edgetcd.ts'
import type { JsonObject } from '../support/gateway.ts'
import { projectRoot } from '../support/paths.ts'
import type { Postgres } from '../support/postgres.ts'
import { startProcess } from '../support/process.ts'

/** What a command of edgetcd came to: its exit code, and what it said, with `--json`. */
export interface Outcome {
  readonly code: number | string
  readonly said: readonly JsonObject[]
}

/** Runs a command on a database, to its end. */
export async function run(postgres: Postgres, ...words: string[]): Promise<Outcome> {
  const flags = ['--database-url', postgres.url, '--json', '--log-level', 'error']
  const args = [join(projectRoot, 'dist/cli.js'), ...words, ...flags]
  const child = startProcess(process.execPath, args, { env: cleanEnvironment() })
  const code = await child.exited
  const lines = child.output().trim().split('\n')
  return { code, said: lines.map((line) => JSON.parse(line) as JsonObject) }
}
