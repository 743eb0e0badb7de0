import { execFileSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'
import { projectRoot, RUN_DIR, temporaryDir } from './paths.ts'

let built = false

/** Vitest's global setup: builds the bundle that the tests start, once a run, and makes the run's directory. */
export default function setup(): (() => void) | undefined {
  if (built) return undefined
  built = true
  execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: projectRoot, stdio: 'inherit' })
  const dir = temporaryDir('tests')
  // PostgreSQL runs as an account of its own where this is root.
  chmodSync(dir, 0o755)
  process.env[RUN_DIR] = dir
  return () => rmSync(dir, { recursive: true, force: true })
}
