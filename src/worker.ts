/**
 * The Cloudflare Worker: the same application as the Node server's, on one database connection a request, since
 * nothing that does I/O may outlive the request that made it. Where a coordinator is bound, requests meet there to write
 * and to wait. It never migrates.
 */
import { type Application, compose, type Memory } from './compose.ts'
import { type Config, readConfig } from './config/config.ts'
import type { Bindings } from './edge/bindings.ts'
import { openConnection } from './edge/connection.ts'
import { CoordinatorClient } from './edge/coordinator/client.ts'
import { CoordinatorGauges } from './edge/coordinator/gauges.ts'
import { workerEnvironment } from './edge/environment.ts'
import { countedCoordinator, countedSql, Subrequests } from './edge/subrequests.ts'
import { runScheduled } from './edge/trigger.ts'
import type { Environment } from './environment.ts'
import { LIMITS } from './etcd/limits.ts'
import { toResponse } from './gateway/answer.ts'
import { createApp } from './gateway/app.ts'
import { boundBodies } from './gateway/body-budget.ts'
import { errorAnswer, toEtcdError } from './gateway/errors.ts'
import { upgradeInWorker } from './gateway/websocket/worker-websocket.ts'
import { createInstruments } from './observe/instruments.ts'
import { createLog } from './observe/log.ts'

/** What of Cloudflare's ExecutionContext is used. */
interface Execution {
  waitUntil(work: Promise<unknown>): void
}

export { Coordinator } from './edge/coordinator/object.ts'

boundBodies(LIMITS.workerBodiesBytesMax)

// These hold no I/O, so they may live as long as the isolate.
const app = createApp()
const instruments = createInstruments()
const memory: Memory = {}
let config: Config | undefined
/** The same for all requests of an isolate, for it has one set of bindings. */
let isCoordinated = false
const gauges = new CoordinatorGauges(instruments.metrics, () => isCoordinated)

export default {
  async fetch(request: Request, bindings: Bindings, execution: Execution): Promise<Response> {
    let application: Application
    try {
      application = open(bindings, execution).application
    } catch (error) {
      return toResponse(errorAnswer(toEtcdError(error, createLog('info', console.log))))
    }
    const upgraded = upgradeInWorker(request, application.context)
    if (upgraded !== undefined) {
      execution.waitUntil(upgraded.ended.finally(() => application.close()))
      return upgraded.response
    }
    const answering = answer(request, application)
    // When its client goes away, the platform lets a request do no more than it was asked to wait for from the start: whoever
    // waited for a lock takes its key back. That the client broke the pipe is no failure.
    const sent = answering.then((answered) => answered.sent).catch(() => {})
    execution.waitUntil(sent.then(() => application.close()))
    return (await answering).response
  },

  /** The trigger of wrangler.toml. Fails when a step of it failed, so that the platform counts the run as failed. */
  async scheduled(_event: unknown, bindings: Bindings, execution: Execution): Promise<void> {
    const { application, config, subrequests } = open(bindings, execution)
    const scarce = new AbortController()
    subrequests.whenScarce(() => scarce.abort())
    try {
      await runScheduled({
        application,
        retention: config.retention,
        environment: application.context.environment,
        failures: instruments.triggerFailures,
        signal: scarce.signal,
      })
    } finally {
      await application.close()
    }
  },
}

/** The response, and when there is nothing left to do for it. */
async function answer(
  request: Request,
  { context }: Application,
): Promise<{ response: Response; sent: Promise<void> | undefined }> {
  const response = await app.fetch(request, { context })
  if (response.body === null || response.headers.has('Content-Length')) return { response, sent: undefined }
  const { readable, writable } = new TransformStream()
  return { response: new Response(readable, response), sent: response.body.pipeTo(writable) }
}

function open(bindings: Bindings, execution: Execution) {
  const config = configOf(bindings)
  const environment = workerEnvironment(config)
  const subrequests = new Subrequests(bindings.SUBREQUESTS_MAX)
  const each = bindings.HYPERDRIVE === undefined ? 'statement' : 'connection'
  const sql = countedSql(openConnection(bindings), subrequests, each)
  const coordinator = openCoordinator(bindings, config, environment, execution)
  const application = compose({
    sql,
    config,
    environment,
    instruments,
    resident: false,
    memory,
    ...(coordinator && { coordinator: countedCoordinator(coordinator, subrequests) }),
  })
  subrequests.whenScarce(() => application.endWatches())
  return { application, config, subrequests }
}

/** The settings are read once: the bindings of an isolate don't change. */
function configOf(bindings: Bindings): Config {
  config ??= readConfig({}, bindings)
  return config
}

function openCoordinator(
  { COORDINATOR }: Bindings,
  { schema }: Config,
  environment: Environment,
  execution: Execution,
): CoordinatorClient | undefined {
  isCoordinated = COORDINATOR !== undefined
  if (COORDINATOR === undefined) return undefined
  const waitUntil = (work: Promise<unknown>) => execution.waitUntil(work)
  return new CoordinatorClient({ namespace: COORDINATOR, schema, environment, gauges, waitUntil })
}
