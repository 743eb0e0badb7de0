/**
 * The Cloudflare Worker: the same application as the Node server's, on one database connection a request, since
 * nothing that does I/O may outlive the request that made it. Where a coordinator is bound, requests meet there to write
 * and to wait. It never migrates.
 */
import type { Application } from './compose.ts'
import type { Bindings } from './edge/bindings.ts'
import { type Execution, Isolate } from './edge/isolate.ts'
import { runScheduled } from './edge/trigger.ts'
import { LIMITS } from './etcd/limits.ts'
import { toResponse } from './gateway/answer.ts'
import { createApp } from './gateway/app.ts'
import { errorAnswer } from './gateway/errors.ts'
import { upgradeInWorker } from './gateway/websocket/worker-websocket.ts'
import { createLog } from './observe/log.ts'
import { boundBodies } from './rpc/body-budget.ts'
import { toEtcdError } from './rpc/failure.ts'

export { Coordinator } from './edge/coordinator/object.ts'

boundBodies(LIMITS.workerBodiesBytesMax)

const app = createApp()
const isolate = new Isolate()

export default {
  async fetch(request: Request, bindings: Bindings, execution: Execution): Promise<Response> {
    let application: Application
    try {
      application = isolate.open(bindings, execution).application
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
    const { application, config, scarce } = isolate.open(bindings, execution)
    const { environment, instruments } = application.context
    try {
      await runScheduled({
        application,
        retention: config.retention,
        environment,
        failures: instruments.triggerFailures,
        signal: scarce,
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
