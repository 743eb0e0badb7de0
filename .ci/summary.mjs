// Adds up what vitest and the conformance run counted. A run that failed without counting a failure (lint, types, a
// crash) counts as one.
import { existsSync, readFileSync } from 'node:fs'

const [testsExit, conformanceExit] = process.argv.slice(2).map(Number)

function vitestCount() {
  const path = 'node_modules/.cache/vitest.json'
  if (!existsSync(path)) return { passed: 0, failed: 0 }
  const { numPassedTests, numFailedTests, numFailedTestSuites } = JSON.parse(readFileSync(path, 'utf8'))
  return { passed: numPassedTests, failed: Math.max(numFailedTests, numFailedTestSuites === 0 ? 0 : 1) }
}

function conformanceCount() {
  const last = readFileSync('node_modules/.cache/conformance.log', 'utf8').trimEnd().split('\n').at(-1)
  const count = /^(\d+) passed, (\d+) failed$/.exec(last ?? '')
  return count ? { passed: Number(count[1]), failed: Number(count[2]) } : { passed: 0, failed: 0 }
}

function atLeastOneFailure(count, exitCode) {
  return exitCode !== 0 && count.failed === 0 ? { ...count, failed: 1 } : count
}

const counts = [
  atLeastOneFailure(vitestCount(), testsExit),
  atLeastOneFailure(conformanceCount(), conformanceExit),
]
const passed = counts.reduce((sum, count) => sum + count.passed, 0)
const failed = counts.reduce((sum, count) => sum + count.failed, 0)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
