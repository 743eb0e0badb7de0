import { mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { errorCode } from './thrown.ts'

/**
 * Makes a directory, and those above it that don't exist, for nobody else to enter. Fails as the system does. Node's own
 * way never ends where the system says of a directory that exists that there is none, as it does under /proc.
 */
export function makeDirectory(path: string): void {
  const code = tryToMake(path)
  if (code === undefined) return
  const parent = dirname(path)
  if (code === 'ENOENT' && parent !== path) {
    makeDirectory(parent)
    mkdirSync(path, { mode: 0o700 })
  } else if (code !== 'EEXIST' || !statSync(path, { throwIfNoEntry: false })?.isDirectory()) {
    mkdirSync(path, { mode: 0o700 })
  }
}

/** The code of the system's error; undefined: it is made. */
function tryToMake(path: string): string | undefined {
  try {
    mkdirSync(path, { mode: 0o700 })
    return undefined
  } catch (error) {
    return errorCode(error) ?? 'unknown'
  }
}
