import { join } from 'node:path'
import { cleanEnvironment } from './edgetcd.ts'
import type { JsonObject } from './gateway.ts'
import { projectRoot } from './paths.ts'
import type { Postgres } from './postgres.ts'
import { startProcess } from './process.ts'

/** Runs a command of edgetcd on a store, with `--json`, to its end. Gives the exit code and the lines that it printed. */
export async function runCommand(
  postgres: Pick<Postgres, 'url'>,
  schema: string,
  ...words: string[]
): Promise<{ code: number | string; lines: string[] }> {
  const database = ['--database-url', postgres.url, '--schema', schema]
  const args = [join(projectRoot, 'dist/cli.js'), ...words, ...database, '--json', '--log-level', 'error']
  const child = startProcess(process.execPath, args, { env: cleanEnvironment() })
  const code = await child.exited
  return { code, lines: child.output().trim().split('\n') }
}

/** What the only line says that a command printed which has to succeed. */
export async function commandSays(
  postgres: Pick<Postgres, 'url'>,
  schema: string,
  ...words: string[]
): Promise<JsonObject> {
  const { code, lines } = await runCommand(postgres, schema, ...words)
  if (code !== 0 || lines.length !== 1) throw new Error(`${words.join(' ')}: ${code}\n${lines.join('\n')}`)
  return JSON.parse(lines[0] ?? '') as JsonObject
}
