/** Makes a new database. It appears under its name complete and on disk, or not at all. */
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Log } from '../../environment.ts'
import { type Account, type InitdbAccount, initdbAccount } from './account.ts'
import type { Binaries } from './binaries.ts'
import {
  type DataDirectory,
  giveTree,
  removeUnfinished,
  STAGING_PREFIX,
  syncDirectory,
} from './data-directory.ts'
import { EmbeddedError } from './embedded-error.ts'
import { forwardLog } from './postgres-log.ts'
import { HOST_BASED_AUTHENTICATION, INITIAL_SETTINGS, SUPERUSER, settingArguments } from './settings.ts'
import { supervise } from './supervise.ts'
import { workingDirectoryArgument } from './working-directory.ts'

const PROGRESS_EVERY_MS = 3_000

/**
 * Makes the database `directory.postgres`, owned by `account`. Only for the holder of the directory's lock. Fails
 * with an EmbeddedError that has initdb's own words, and leaves nothing behind then; what a start that was killed
 * meanwhile leaves, the next one removes.
 */
export async function initialise(
  directory: DataDirectory,
  binaries: Binaries,
  account: Account,
  log: Log,
): Promise<void> {
  await removeUnfinished(directory.root)
  log('info', 'creating the database, which happens once', { directory: directory.root })
  // mkdtemp's mode is 0700: for root's borrowed account only the directory within is open, and that by descriptor.
  const staging = await mkdtemp(join(directory.root, STAGING_PREFIX))
  try {
    const made = join(staging, 'postgres')
    const runAs = initdbAccount(account)
    await mkdir(made, { mode: 0o700 })
    if (runAs.account !== undefined) await giveTree(made, runAs.account)
    await runInitdb(INITDB_ARGUMENTS, binaries, made, runAs, log)
    await writeFile(join(made, 'pg_hba.conf'), HOST_BASED_AUTHENTICATION)
    if (account !== undefined) await giveTree(made, account)
    await runInitdb(['--sync-only'], binaries, made, { account, prefix: [] }, log)
    await rename(made, directory.postgres)
    await syncDirectory(directory.root)
  } finally {
    await rm(staging, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  }
}

const INITDB_ARGUMENTS = [
  `--username=${SUPERUSER}`,
  '--auth=trust',
  '--encoding=UTF8',
  '--no-locale',
  '--text-search-config=simple',
  '--no-instructions',
  // One sync of everything at the end, not one a step.
  '--no-sync',
  ...settingArguments(INITIAL_SETTINGS),
]

async function runInitdb(
  words: readonly string[],
  binaries: Binaries,
  directory: string,
  { account, prefix }: InitdbAccount,
  log: Log,
): Promise<void> {
  const command = [...prefix, binaries.initdb, '-D', workingDirectoryArgument(directory), ...words]
  const child = supervise(command, { cwd: directory, account })
  const complaints = forwardLog(child.stderr, log)
  const startedMs = performance.now()
  let step = 'starting'
  createInterface({ input: child.stdout }).on('line', (line) => {
    step = line
    log('debug', `initdb: ${line}`)
  })
  const progress = setInterval(() => {
    const seconds = Math.round((performance.now() - startedMs) / 1000)
    log('info', 'still creating the database', { step, seconds })
  }, PROGRESS_EVERY_MS)
  const ending = await child.ended.finally(() => clearInterval(progress))
  if (ending.status === 0) return
  await complaints.finished
  const words_ =
    complaints.tail() || ending.error?.message || `it ended with status ${ending.status ?? 'killed'}`
  throw new EmbeddedError(`The database could not be created: ${words_}${hint(words_)}`, {
    cause: ending.error,
  })
}

function hint(words: string): string {
  if (/No space left on device|Disk quota exceeded/.test(words))
    return '. Free some space (a new database takes 60 MB) and start again.'
  return ''
}
