/** How PostgreSQL's programs are told where the data is. */
import { existsSync } from 'node:fs'
import { EmbeddedError } from './embedded-error.ts'

/** PostgreSQL's MAXPGPATH is 1024; what it appends to the data directory's path stays below a hundred. */
const POSTGRES_PATH_MAX_BYTES = 900

/**
 * The value of -D for a program whose working directory is `directory`. On Linux a fixed name for just that: it
 * holds whoever may enter the directories above (often only root, and PostgreSQL isn't), whatever characters are in
 * the path, and past PostgreSQL's own limit of 1,024 bytes. Elsewhere the path itself.
 */
export function workingDirectoryArgument(directory: string): string {
  if (existsSync('/proc/self/cwd')) return '/proc/self/cwd'
  if (Buffer.byteLength(directory) <= POSTGRES_PATH_MAX_BYTES) return directory
  throw new EmbeddedError(
    `The path of ${directory} is too long for PostgreSQL, which takes ${POSTGRES_PATH_MAX_BYTES} bytes: choose ` +
      'another with --data-dir.',
  )
}
