import { writeFileSync } from 'node:fs'
import type { Json } from '../support/gateway.ts'
import { type Context, newContext } from './context.ts'
import { differences } from './difference.ts'
import { isSilent, loadScenarios, type Scenario, type ScenarioFile, type Step } from './scenario.ts'
import { rebase, runStep } from './steps.ts'
import { connectTo, type Endpoint } from './transport.ts'

/** How the server's answer to one step compares with etcd's: no differences, or these. */
export interface StepResult {
  readonly group: string
  readonly file: string
  readonly scenario: string
  readonly step: string
  readonly differences: readonly string[]
}

/** Runs the groups' scenarios against a server that nobody else writes to, one after another, exclusive ones last. */
export async function checkServer(url: string, groups: readonly string[]): Promise<StepResult[]> {
  const endpoint = connectTo(url)
  const results: StepResult[] = []
  for (const { file, scenario } of inOrder(loadScenarios(groups))) {
    const recorded = file.recorded[scenario.name] ?? {}
    await runScenario(endpoint, scenario, (step, name, answer, problem) => {
      // etcd hangs or shows Go's internals there: nobody need imitate it.
      if (step.quirk) return
      const seconds = JSON.stringify(step).includes('timetolive')
      const want = recorded[name]
      const found = want === undefined ? ['no recorded answer'] : differences(want, answer, seconds)
      if (found.length > 0 && problem) found.push(problem)
      results.push({
        group: file.group,
        file: file.file,
        scenario: scenario.name,
        step: name,
        differences: found,
      })
    })
  }
  endpoint.agent.destroy()
  return results
}

/** Runs the scenarios against etcd itself and writes down its answers. */
export async function recordServer(url: string, groups: readonly string[]): Promise<number> {
  const endpoint = connectTo(url)
  const files = loadScenarios(groups)
  let recorded = 0
  for (const { file, scenario } of inOrder(files)) {
    const answers: Record<string, Json> = {}
    await runScenario(endpoint, scenario, (_, name, answer) => {
      answers[name] = answer
      recorded++
    })
    file.recorded[scenario.name] = answers
  }
  for (const file of files) writeFileSync(file.recordedPath, recordedText(file))
  endpoint.agent.destroy()
  return recorded
}

function inOrder(files: readonly ScenarioFile[]): { file: ScenarioFile; scenario: Scenario }[] {
  const all = files.flatMap((file) => file.scenarios.map((scenario) => ({ file, scenario })))
  return [...all.filter((one) => !one.scenario.exclusive), ...all.filter((one) => one.scenario.exclusive)]
}

/** One step a line, so that a change of one answer is a change of one line. */
function recordedText({ scenarios, recorded }: ScenarioFile): string {
  const parts = scenarios.map(({ name }) => {
    const steps = Object.entries(recorded[name] ?? {})
    const lines = steps.map(([step, answer]) => `  ${JSON.stringify(step)}: ${JSON.stringify(answer)}`)
    return `${JSON.stringify(name)}: {\n${lines.join(',\n')}\n}`
  })
  return `{\n${parts.join(',\n')}\n}\n`
}

async function runScenario(
  endpoint: Endpoint,
  scenario: Scenario,
  report: (step: Step, name: string, answer: Json, problem: string | undefined) => void,
): Promise<void> {
  const context = newContext(endpoint)
  for (const step of scenario.before ?? []) await tolerantly(context, step)
  await rebase(context)
  for (const [index, step] of scenario.steps.entries()) {
    const name = step.name ?? `${step.op ?? 'call'} ${index + 1}`
    const answer = await tolerantly(context, step)
    const failed = typeof answer === 'object' && answer !== null && 'runner_error' in answer
    if (isSilent(step) && !failed) continue
    report(step, name, answer, context.problem)
    context.problem = undefined
  }
  for (const stream of context.streams.values()) stream.close()
  for (const step of scenario.after ?? []) await tolerantly(context, step)
}

/** A step that can't be done is an answer, so that the scenario's clean-up runs in any case. */
async function tolerantly(context: Context, step: Step): Promise<Json> {
  try {
    return await runStep(context, step)
  } catch (error) {
    return { runner_error: error instanceof Error ? error.message : String(error) }
  }
}
