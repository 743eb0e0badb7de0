import { compose } from './compose.ts'
import type { Config } from './config.ts'
import { openDatabase } from './database.ts'
import type { Environment } from './environment.ts'
import { createGateway } from './gateway/node.ts'
import { listen } from './http-server.ts'
import { createInstruments } from './observe/instruments.ts'
import { runCompactor } from './service/compactor/index.ts'
import { EDGETCD_VERSION, ETCD_VERSION } from './version.ts'

/** Says something to whoever started the program: to people, or with `--json` to programs. */
export type Say = (text: string, facts: Readonly<Record<string, unknown>>) => void

/**
 * Runs a server until `stop` resolves, or until its database is lost for good, which is a failure. Resolves when
 * everything has ended that was started. Fails with an Error fit to be shown.
 */
export async function serve(
  config: Config,
  environment: Environment,
  say: Say,
  stop: Promise<unknown>,
): Promise<void> {
  const { log } = environment
  const database = await openDatabase(config, log)
  const stopping = new AbortController()
  const application = compose({
    sql: database.sql,
    config,
    environment,
    instruments: createInstruments(),
    resident: true,
  })
  let compacting: Promise<void> | undefined
  try {
    // The first look at the store arms the timer of its leases.
    await application.store.head()
    const servers = await listen(config.listenClientUrls, createGateway(application.context))
    if (config.retention !== undefined) {
      compacting = runCompactor(application.store, config.retention, environment, stopping.signal)
    }
    sayReady(config, database.location, say)
    const lost = await Promise.race([stop.then(() => undefined), database.ended])
    log('info', 'stopping')
    stopping.abort()
    application.endWatches()
    await servers.stop()
    if (lost !== undefined) throw lost
  } finally {
    stopping.abort()
    await compacting
    await application.close()
    await database.close()
  }
}

function sayReady({ listenClientUrls }: Config, location: string, say: Say): void {
  const [url] = listenClientUrls
  const lines = [
    `edgetcd ${EDGETCD_VERSION} serves the API of etcd ${ETCD_VERSION}`,
    '',
    `  listening on  ${listenClientUrls.join(', ')}`,
    `  data in       ${location}`,
    `  try           curl -X POST ${url}/v3/kv/put -d '{"key": "Zm9v", "value": "YmFy"}'`,
    '',
  ]
  say(lines.join('\n'), { event: 'ready', listening: listenClientUrls, data: location })
}
