import { execFileSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'
import { projectRoot, RUN_DIR, temporaryDir } from './paths.ts'

/** Vitest's global setup, which each project runs for itself: builds the bundle that the tests start, and makes the run's directory. */
export default function setup(): (() => void) | undefined {
  // Another project of this run has done it.
  if (process.env[RUN_DIR] !== undefined) return undefined
  const dir = temporaryDir('tests')
  // PostgreSQL runs as an account of its own where this is root.
  chmodSync(dir, 0o755)
  process.env[RUN_DIR] = dir
  execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: projectRoot, stdio: 'inherit' })
  return () => rmSync(dir, { recursive: true, force: true })
}
