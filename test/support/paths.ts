import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The directory of package.json. */
export const projectRoot = fileURLToPath(new URL('../..', import.meta.url))

/** A directory of this name that is kept between runs and never committed; made if missing. */
export function cacheDir(name: string): string {
  const dir = join(projectRoot, 'node_modules', '.cache', name)
  mkdirSync(dir, { recursive: true })
  return dir
}

const temporary = new Set<string>()
process.on('exit', () => {
  for (const dir of temporary) rmSync(dir, { recursive: true, force: true })
})

/** The variable that names the directory of a run of tests, which is removed after it. */
export const RUN_DIR = 'EDGETCD_TEST_RUN_DIR'

/**
 * A new empty directory under the system's temporary one: the checkout may lie where only root may enter, and a
 * Unix socket's path ends at 107 bytes. It is removed when the process ends, if the caller didn't do so before; vitest's
 * processes are ended from outside, and so theirs lie in the directory of the run.
 */
export function temporaryDir(name: string): string {
  const dir = mkdtempSync(join(process.env[RUN_DIR] ?? tmpdir(), `edgetcd-${name}-`))
  temporary.add(dir)
  return dir
}
