import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Json, JsonObject } from '../support/gateway.ts'
import { projectRoot } from '../support/paths.ts'

/** One step of a scenario. README.md says what each `op` does and which fields it takes. */
export interface Step {
  readonly name?: string
  readonly op?: string
  readonly quirk?: unknown
  // A request.
  readonly path?: string
  readonly method?: string
  readonly body?: Json
  readonly text?: string
  readonly hexbody?: string
  readonly bodies?: readonly Json[]
  readonly headers?: Readonly<Record<string, string | null>>
  readonly noctype?: boolean
  readonly timeout?: number
  readonly stream_call?: boolean
  readonly open_body?: boolean
  // What of the answer is looked at.
  readonly capture?: Readonly<Record<string, string>>
  readonly decode?: readonly string[]
  readonly check_headers?: readonly string[]
  readonly body_check?: 'shape' | 'ignore' | 'nonempty' | 'sorted-lines'
  readonly hint?: Hint
  // Several steps at once or in turn.
  readonly step?: Step
  readonly steps?: readonly Step[]
  readonly from?: number
  readonly to?: number
  readonly keep?: string
  readonly ordered?: boolean
  // Requests and streams that stay open.
  readonly as?: string
  readonly stream?: string
  readonly messages?: number
  readonly events?: number
  readonly anyorder?: boolean
  readonly nohead?: boolean
  readonly expect_end?: boolean
  readonly end_within?: number
  readonly within?: number
  readonly ms?: number
  readonly settle?: number
  readonly vars?: Readonly<Record<string, string>>
}

/** Fields whose value is not compared (`mask`), or is as a set (`sort`), or only where it is ours (`subset`). */
export interface Hint {
  readonly mask?: readonly string[]
  readonly sort?: readonly string[]
  readonly subset?: readonly string[]
}

export interface Scenario {
  readonly name: string
  /** It changes what others see (compaction, auth, alarms), so it runs last. */
  readonly exclusive?: boolean
  readonly before?: readonly Step[]
  readonly steps: readonly Step[]
  readonly after?: readonly Step[]
}

/** etcd's answers: by scenario, by step. */
export type Recorded = Record<string, Record<string, Json>>

export interface ScenarioFile {
  readonly file: string
  readonly recordedPath: string
  readonly group: string
  readonly scenarios: readonly Scenario[]
  readonly recorded: Recorded
}

/** Steps that change something and have no answer of their own. */
const SILENT = new Set(['sleep', 'rebase', 'open', 'close', 'start', 'send', 'finish', 'set'])
export const isSilent = (step: Step): boolean => SILENT.has(step.op ?? 'call')

/** The scenario files of the wanted groups, with what etcd answered. */
export function loadScenarios(groups: readonly string[]): ScenarioFile[] {
  const dir = join(projectRoot, 'test/conformance/scenarios')
  return readdirSync(dir)
    .filter((file) => file.endsWith('.json') && !file.endsWith('.golden.json'))
    .sort()
    .map((file) => {
      const recordedPath = join(dir, file.replace(/\.json$/, '.golden.json'))
      const source = readJson(join(dir, file)) as unknown as Pick<ScenarioFile, 'group' | 'scenarios'>
      return { ...source, file, recordedPath, recorded: readJson(recordedPath) as Recorded }
    })
    .filter(({ group }) => groups.includes(group))
}

function readJson(path: string): JsonObject {
  return JSON.parse(readFileSync(path, 'utf8')) as JsonObject
}
