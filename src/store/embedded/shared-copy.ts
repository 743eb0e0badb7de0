/**
 * A copy of PostgreSQL's programs that an account without a right to the checkout can run. Root's home is often
 * closed to everybody else, and the programs find their libraries and data by their own real path, so no trick with
 * descriptors or relative names spares the copy. 60 MB, made once a version, in a directory that only root writes.
 */
import {
  chmod,
  constants,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
} from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../../environment.ts'
import { errorCode } from '../../thrown.ts'
import type { NativeTree } from './binaries.ts'
import { unless } from './embedded-error.ts'

/** /var/lib first: what lies in /var/cache may be deleted at any time, under a running PostgreSQL too. */
const PARENTS = ['/var/lib', '/var/cache', '/opt']

/**
 * Gives the directory of a copy for which `works` holds, an existing or a new one; undefined if none could be made.
 * Only for root.
 */
export async function copyForEverybody(
  tree: NativeTree,
  log: Log,
  works: (directory: string) => Promise<boolean>,
): Promise<string | undefined> {
  for (const parent of PARENTS) {
    try {
      const home = await rootsOwn(parent)
      if (home === undefined) continue
      const copy = join(home, tree.name)
      if (await works(copy)) return copy
      log('info', 'copying PostgreSQL’s programs to where its account can run them', {
        from: tree.directory,
        to: copy,
      })
      await copyAside(tree.directory, home, copy)
      if (await works(copy)) return copy
    } catch (error) {
      if (errorCode(error) === undefined) throw error
      log('warn', 'no copy of PostgreSQL’s programs could be made there', {
        directory: parent,
        error: String(error),
      })
    }
  }
  return undefined
}

/** `parent`/edgetcd, if nobody but root can have put anything in there. */
async function rootsOwn(parent: string): Promise<string | undefined> {
  if (!(await isRootsOwn(parent))) return undefined
  const home = join(parent, 'edgetcd')
  await unless(
    ['EEXIST'],
    mkdir(home).then(() => chmod(home, 0o755)),
  )
  return (await isRootsOwn(home)) ? home : undefined
}

async function isRootsOwn(directory: string): Promise<boolean> {
  const found = await unless(['ENOENT'], lstat(directory))
  return found?.isDirectory() === true && found.uid === 0 && (found.mode & 0o022) === 0
}

/** Copies on the side and renames, so that a copy is whole or not there. */
async function copyAside(from: string, home: string, to: string): Promise<void> {
  const aside = await mkdtemp(join(home, '.copy-'))
  try {
    await copyTree(from, aside)
    // What stands there doesn't work: a copy that somebody has damaged.
    await rm(to, { recursive: true, force: true })
    // Another server may have been quicker; then its copy is as good.
    await unless(['ENOTEMPTY', 'EEXIST'], rename(aside, to))
  } finally {
    await rm(aside, { recursive: true, force: true })
  }
}

/** Copies a tree, readable by everybody whatever the umask of the install was, and without what is for linking only. */
async function copyTree(from: string, to: string): Promise<void> {
  await chmod(to, 0o755)
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)]
    if (entry.isDirectory()) {
      await mkdir(target)
      await copyTree(source, target)
    } else if (entry.isSymbolicLink()) {
      await symlink(await readlink(source), target)
    } else if (!entry.name.endsWith('.a')) {
      await copyFile(source, target, constants.COPYFILE_FICLONE)
      await chmod(target, ((await lstat(source)).mode & 0o100) === 0 ? 0o644 : 0o755)
    }
  }
}
