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
  /** Steps of scenarios that are known not to pass on this deployment. */
  readonly known: number
}

const NONE: Count = { passed: 0, failed: 0, known: 0 }

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { groups: { type: 'string' }, record: { type: 'boolean' }, url: { type: 'string' } },
  })
  const groups = values.groups?.split(',') ?? IMPLEMENTED_GROUPS
  if (values.record) return record(groups)
  const chosen = positionals.length === 0 ? DEPLOYMENTS : positionals.map(deploymentNamed)
  const counts = values.url
    ? [await checkUrl({ name: 'server' }, values.url, groups)]
    : await checkAll(chosen, groups)
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
    return NONE
  }
  try {
    await using server = await deployment.start()
    return await checkUrl(deployment, server.gateway.url, groups)
  } catch (error) {
    console.log(`FAIL ${deployment.name}: ${error instanceof Error ? error.message : String(error)}`)
    return { ...NONE, failed: 1 }
  }
}

async function checkUrl(
  { name, known = {} }: Pick<Deployment, 'name' | 'known'>,
  url: string,
  groups: readonly string[],
): Promise<Count> {
  const results = await checkServer(url, groups)
  const byGroup = Object.fromEntries(
    groups.map((group) => [
      group,
      countOf(
        results.filter((result) => result.group === group),
        known,
      ),
    ]),
  )
  const failures = results.flatMap((result) => failureLine(result, known))
  console.log([`${name}:`, ...failures, ...tableOf(byGroup), ''].join('\n'))
  writeFileSync(join(cacheDir('conformance'), `${name}.json`), `${JSON.stringify(byGroup, null, 2)}\n`)
  return sum(Object.values(byGroup))
}

type Known = NonNullable<Deployment['known']>

function failureLine({ group, file, scenario, step, differences }: StepResult, known: Known): string[] {
  if (differences.length === 0) return []
  const verdict = scenario in known ? `known (${known[scenario]})` : 'FAIL'
  return [`  ${verdict} ${group} ${file} [${scenario}] ${step} :: ${differences.join(' ; ')}`]
}

function countOf(results: readonly StepResult[], known: Known): Count {
  const passed = results.filter((result) => result.differences.length === 0).length
  const excused = results.filter((result) => result.differences.length > 0 && result.scenario in known).length
  return { passed, failed: results.length - passed - excused, known: excused }
}

function tableOf(byGroup: Readonly<Record<string, Count>>): string[] {
  const line = (...cells: readonly string[]) =>
    `  ${(cells[0] ?? '').padEnd(14)}${cells
      .slice(1)
      .map((cell) => cell.padStart(7))
      .join('')}`
  const rows = Object.entries(byGroup).map(([name, { passed, failed, known }]) =>
    line(name, String(passed), String(failed), String(known)),
  )
  return [line('group', 'passed', 'failed', 'known'), ...rows]
}

function sum(counts: readonly Count[]): Count {
  return counts.reduce(
    (a, b) => ({ passed: a.passed + b.passed, failed: a.failed + b.failed, known: a.known + b.known }),
    NONE,
  )
}

await main()
