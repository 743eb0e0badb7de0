import { execFileSync } from 'node:child_process'
import { projectRoot } from './paths.ts'

let built = false

/** Vitest's global setup: builds the bundle that the tests start, once a run. */
export default function setup(): void {
  if (built) return
  built = true
  execFileSync(process.execPath, ['scripts/build.mjs'], { cwd: projectRoot, stdio: 'inherit' })
}
