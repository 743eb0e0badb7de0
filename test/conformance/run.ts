/**
 * Runs the scenarios against deployments of edgetcd, started and ended here:
 *
 *     npm run conformance                              all deployments, the groups that are implemented
 *     npm run conformance -- node-postgres-18          one of them
 *     npm run conformance -- etcd --groups auth,lock   etcd itself, other groups
 *     npm run conformance -- etcd --record             writes down etcd's answers anew
 *     npm run conformance -- --url http://…            a server that runs already
 *
 * Prints what failed, a table for each deployment and, alone on the last line, `N passed, N failed`. The results are
 * kept in node_modules/.cache/conformance for scripts/compatibility-table.mjs.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { cacheDir } from '../support/paths.ts'
import { checkServer, recordServer, type StepResult } from './check.ts'
import { DEPLOYMENTS, type Deployment, REFERENCE } from './deployments.ts'
import { IMPLEMENTED_GROUPS } from './groups.ts'

/** Deployments tested at once: most of a run is waiting, but what it waits for is timed. */
const CONCURRENT = 2

interface Count {
  readonly passed: number
  readonly failed: number
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { groups: { type: 'string' }, record: { type: 'boolean' }, url: { type: 'string' } },
  })
  const groups = values.groups?.split(',') ?? IMPLEMENTED_GROUPS
  if (values.record) return record(groups)
  const chosen = positionals.length === 0 ? DEPLOYMENTS : positionals.map(deploymentNamed)
  const counts = values.url ? [await checkUrl('server', values.url, groups)] : await checkAll(chosen, groups)
  const total = sum(counts)
  console.log(`${total.passed} passed, ${total.failed} failed`)
  process.exitCode = total.failed === 0 ? 0 : 1
}

async function record(groups: readonly string[]): Promise<void> {
  await using server = await REFERENCE.start()
  console.log(`${await recordServer(server.gateway.url, groups)} answers recorded`)
}

function deploymentNamed(name: string): Deployment {
  const found = [...DEPLOYMENTS, REFERENCE].find((deployment) => deployment.name === name)
  if (!found) throw new Error(`no deployment ${name}; there are ${DEPLOYMENTS.map((d) => d.name).join(', ')}`)
  return found
}

async function checkAll(deployments: readonly Deployment[], groups: readonly string[]): Promise<Count[]> {
  const counts: Count[] = []
  const waiting = [...deployments]
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) counts.push(await check(next, groups))
  }
  await Promise.all(Array.from({ length: CONCURRENT }, worker))
  return counts
}

/** One deployment's run; one that doesn't even start counts as one failure. */
async function check(deployment: Deployment, groups: readonly string[]): Promise<Count> {
  if (deployment.missing) {
    console.log(`${deployment.name}: skipped: ${deployment.missing}`)
    return { passed: 0, failed: 0 }
  }
  try {
    await using server = await deployment.start()
    return await checkUrl(deployment.name, server.gateway.url, groups)
  } catch (error) {
    console.log(`FAIL ${deployment.name}: ${error instanceof Error ? error.message : String(error)}`)
    return { passed: 0, failed: 1 }
  }
}

async function checkUrl(name: string, url: string, groups: readonly string[]): Promise<Count> {
  const results = await checkServer(url, groups)
  const byGroup = Object.fromEntries(
    groups.map((group) => [group, countOf(results.filter((result) => result.group === group))]),
  )
  console.log([`${name}:`, ...results.flatMap(failureLine), ...tableOf(byGroup), ''].join('\n'))
  writeFileSync(join(cacheDir('conformance'), `${name}.json`), `${JSON.stringify(byGroup, null, 2)}\n`)
  return sum(Object.values(byGroup))
}

function failureLine({ group, file, scenario, step, differences }: StepResult): string[] {
  return differences.length === 0
    ? []
    : [`  FAIL ${group} ${file} [${scenario}] ${step} :: ${differences.join(' ; ')}`]
}

function countOf(results: readonly StepResult[]): Count {
  const failed = results.filter((result) => result.differences.length > 0).length
  return { passed: results.length - failed, failed }
}

function tableOf(byGroup: Readonly<Record<string, Count>>): string[] {
  const line = (name: string, passed: string, failed: string) =>
    `  ${name.padEnd(14)} ${passed.padStart(6)} ${failed.padStart(6)}`
  const rows = Object.entries(byGroup).map(([name, { passed, failed }]) =>
    line(name, String(passed), String(failed)),
  )
  return [line('group', 'passed', 'failed'), ...rows]
}

function sum(counts: readonly Count[]): Count {
  return counts.reduce((a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed }), {
    passed: 0,
    failed: 0,
  })
}

await main()
