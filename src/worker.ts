/**
 * The Cloudflare Worker: the same application as the Node server's, on one database connection a request, since
 * nothing that does I/O may outlive the request that made it. It never migrates.
 */
import { type Application, compose, type Memory } from './compose.ts'
import { type Config, readConfig } from './config/config.ts'
import type { Bindings } from './edge/bindings.ts'
import { openConnection } from './edge/connection.ts'
import { toResponse } from './gateway/answer.ts'
import { createApp } from './gateway/app.ts'
import { errorAnswer, toEtcdError } from './gateway/errors.ts'
import { upgradeInWorker } from './gateway/websocket/worker-websocket.ts'
import { createInstruments } from './observe/instruments.ts'
import { createLog } from './observe/log.ts'
import { runTrigger } from './service/compactor/index.ts'
import { systemEnvironment } from './system-environment.ts'

/** What of Cloudflare's ExecutionContext is used. */
interface Execution {
  waitUntil(work: Promise<unknown>): void
}

// These hold no I/O, so they may live as long as the isolate.
const app = createApp()
const instruments = createInstruments()
const memory: Memory = {}
const print = (line: string): void => console.log(line)

export default {
  async fetch(request: Request, bindings: Bindings, execution: Execution): Promise<Response> {
    let application: Application
    try {
      application = open(bindings).application
    } catch (error) {
      return toResponse(errorAnswer(toEtcdError(error, createLog('info', print))))
    }
    const upgraded = upgradeInWorker(request, application.context)
    if (upgraded !== undefined) {
      execution.waitUntil(upgraded.ended.finally(() => application.close()))
      return upgraded.response
    }
    const response = await app.fetch(request, { context: application.context })
    if (response.body === null || response.headers.has('Content-Length')) {
      execution.waitUntil(application.close())
      return response
    }
    const { readable, writable } = new TransformStream()
    const sent = response.body.pipeTo(writable)
    // A client that goes away breaks the pipe, and that is no failure.
    execution.waitUntil(sent.catch(() => {}).then(() => application.close()))
    return new Response(readable, response)
  },

  /** The trigger of wrangler.toml: ends leases that are due, compacts as configured, frees space, minds the quota. */
  async scheduled(_event: unknown, bindings: Bindings, _execution: Execution): Promise<void> {
    const { application, config } = open(bindings)
    const { store, context } = application
    try {
      await runTrigger(store, config.retention, context.environment, new AbortController().signal)
      await application.checkQuota()
    } finally {
      await application.close()
    }
  },
}

function open(bindings: Bindings): { application: Application; config: Config } {
  const config = readConfig({}, bindings)
  const environment = systemEnvironment(createLog(config.logLevel, print))
  const sql = openConnection(bindings)
  return { application: compose({ sql, config, environment, instruments, resident: false, memory }), config }
}
