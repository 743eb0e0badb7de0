import { mkdirSync, mkdtempSync } from 'node:fs'
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

/**
 * A new empty directory under the system's temporary one: the checkout may lie where only root may enter, and a
 * Unix socket's path ends at 107 bytes. The caller removes it.
 */
export function temporaryDir(name: string): string {
  return mkdtempSync(join(tmpdir(), `edgetcd-${name}-`))
}
