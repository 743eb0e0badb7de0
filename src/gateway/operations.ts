import { AlarmType } from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Call } from '../service/call.ts'
import type { Health } from '../service/services.ts'
import { errorText } from '../thrown.ts'
import { ETCD_CLUSTER_VERSION, ETCD_VERSION } from '../version.ts'
import { type Answer, json, plain } from './answer.ts'

/** Which etcd this behaves as. Clients parse it strictly: X.Y.Z. */
export const VERSION_ANSWER: Answer = json(
  200,
  JSON.stringify({
    etcdserver: ETCD_VERSION,
    etcdcluster: ETCD_CLUSTER_VERSION,
    storage: ETCD_CLUSTER_VERSION,
  }),
)

export const METHOD_NOT_ALLOWED_HERE: Answer = plain(405, 'Method Not Allowed\n', { Allow: 'GET' })
export const PAGE_NOT_FOUND: Answer = plain(404, '404 page not found\n')
export const BAD_REQUEST: Answer = plain(400, '400 Bad Request', { Connection: 'close' })

/** GET /health: whether the store can be read and no alarm is raised but those in `exclude`, by name. */
export async function answerHealth(health: Health, call: Call, exclude: readonly string[]): Promise<Answer> {
  const reason = await findFault(health, call, exclude)
  const body = JSON.stringify({ health: String(reason === ''), reason })
  if (reason !== '') return plain(503, `${body}\n`)
  return { status: 200, headers: { 'Content-Type': 'text/plain; charset=utf-8' }, body }
}

async function findFault(health: Health, call: Call, exclude: readonly string[]): Promise<string> {
  try {
    const alarms = await health(call)
    const raised = alarms
      .map(({ alarm }) => alarm ?? AlarmType.NONE)
      .find((alarm) => !exclude.includes(AlarmType[alarm]))
    return raised === undefined ? '' : `ALARM ${alarmName(raised)}`
  } catch (error) {
    return `RANGE ERROR:${errorText(error)}`
  }
}

function alarmName(alarm: AlarmType): string {
  return alarm === AlarmType.NONE ? 'UNKNOWN' : (AlarmType[alarm] ?? 'UNKNOWN')
}

/** etcd's checks, by probe. One read of the store tells all of them. */
export const PROBES = {
  livez: ['serializable_read'],
  readyz: ['data_corruption', 'serializable_read', 'linearizable_read', 'non_learner'],
} as const

export type Check = (typeof PROBES)[keyof typeof PROBES][number]

/** GET /livez and /readyz, whole or some checks: `ok`, or what failed. `verbose` lists what passed, too. */
export async function answerProbe(
  checks: readonly Check[],
  health: Health,
  call: Call,
  verbose: boolean,
): Promise<Answer> {
  const faults = await findFaults(health, call)
  const lines = checks.map((check) => {
    const fault = faults[check]
    return fault === undefined ? `[+]${check} ok\n` : `[-]${check} failed: ${fault}\n`
  })
  // A failed probe ends in two newlines: one of the list, one of Go's http.Error.
  if (checks.some((check) => faults[check] !== undefined)) return plain(503, `${lines.join('')}\n`)
  return plain(200, `${verbose ? lines.join('') : ''}ok\n`)
}

async function findFaults(health: Health, call: Call): Promise<Partial<Record<Check, string>>> {
  try {
    const alarms = await health(call)
    const corrupt = alarms.some(({ alarm }) => alarm === AlarmType.CORRUPT)
    return corrupt ? { data_corruption: 'alarm activated: CORRUPT' } : {}
  } catch (error) {
    const fault = errorText(error)
    return { serializable_read: fault, linearizable_read: fault }
  }
}
