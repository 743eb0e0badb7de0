/**
 * The path of a Unix socket ends at 107 bytes on Linux and at 103 on macOS, while a directory's may be forty times
 * as long. The same directory under a short name is the way round.
 */
import { closeSync, constants, existsSync, mkdtempSync, openSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What the shorter of the two systems allows, without the terminating zero. */
const SOCKET_PATH_MAX_BYTES = 103
/** The longest name of a socket that this folder makes, with its slash, and room to spare. */
const SOCKET_NAME_MAX_BYTES = 24

export interface ShortPath {
  /** A name of the directory that leaves room for a socket's name, valid in this process only. */
  readonly path: string
  release(): void
}

/**
 * A name of `directory` (an absolute path) that is short enough to bind or connect a Unix socket in it. On Linux it
 * is the directory's open descriptor under /proc: it leaves nothing behind, no other process can see it, and it
 * stays this very directory if somebody moves another one into its place. Elsewhere it is the path itself where
 * that fits, else a symbolic link in a private temporary directory.
 */
export function shortPath(directory: string): ShortPath {
  if (existsSync('/proc/self/fd')) return byDescriptor(directory)
  const fits = Buffer.byteLength(directory) + SOCKET_NAME_MAX_BYTES <= SOCKET_PATH_MAX_BYTES
  return fits ? { path: directory, release: () => {} } : bySymbolicLink(directory, tmpdir())
}

function byDescriptor(directory: string): ShortPath {
  const descriptor = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY)
  return { path: `/proc/self/fd/${descriptor}`, release: () => closeSync(descriptor) }
}

/** Exported for its test: Linux never needs it. `temporary` is the directory for temporary files. */
export function bySymbolicLink(directory: string, temporary: string): ShortPath {
  const home = mkdtempSync(join(temporary, 'edgetcd-'))
  const path = join(home, 'd')
  symlinkSync(directory, path)
  return { path, release: () => rmSync(home, { recursive: true, force: true }) }
}
