import { compose } from './compose.ts'
import type { Config } from './config.ts'
import { openDatabase } from './database.ts'
import type { Environment, Log } from './environment.ts'
import { createGateway } from './gateway/node.ts'
import { type HttpServers, listen } from './http-server.ts'
import { createInstruments } from './observe/instruments.ts'
import { addProcessMetrics } from './observe/node-process-metrics.ts'
import { runCompactor } from './service/compactor/index.ts'
import type { TlsOptions } from './tls/index.ts'
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
  for (const warning of config.warnings) log('warn', warning)
  const database = await openDatabase(config, log)
  const stopping = new AbortController()
  const instruments = createInstruments(config.metrics)
  addProcessMetrics(instruments.metrics)
  const application = compose({
    sql: database.sql,
    config,
    environment,
    instruments,
    resident: true,
  })
  let compacting: Promise<void> | undefined
  const servers: HttpServers[] = []
  try {
    // The first look at the store arms the timer of its leases.
    await application.store.head()
    const tls = tlsOptions(config, log)
    servers.push(await listen(config.listenClientUrls, createGateway(application.context), tls))
    servers.push(
      await listen(config.listenMetricsUrls, createGateway(application.context, 'operations'), tls),
    )
    if (config.retention !== undefined) {
      compacting = runCompactor(application.store, config.retention, environment, stopping.signal)
    }
    sayReady(
      servers.flatMap(({ urls }) => urls),
      config.ignoredFlags,
      database.location,
      say,
    )
    const lost = await Promise.race([stop.then(() => undefined), database.ended])
    log('info', 'stopping')
    stopping.abort()
    application.endWatches()
    await Promise.all(servers.map((server) => server.stop()))
    if (lost !== undefined) throw lost
  } finally {
    stopping.abort()
    // Again, for those that did listen when another one couldn't.
    await Promise.all(servers.map((server) => server.stop()))
    await compacting
    await application.close()
    await database.close()
  }
}

function tlsOptions(config: Config, log: Log): TlsOptions | undefined {
  if (config.tls === undefined) return undefined
  const urls = [...config.listenClientUrls, ...config.listenMetricsUrls, ...config.advertiseClientUrls]
  const hosts = [...new Set(urls.map((url) => new URL(url).hostname.replace(/^\[|\]$/g, '')))]
  return { settings: config.tls, dataDir: config.dataDir, hosts, log }
}

function sayReady(
  urls: readonly string[],
  ignoredFlags: readonly string[],
  location: string,
  say: Say,
): void {
  const [url] = urls
  const lines = [
    `edgetcd ${EDGETCD_VERSION} serves the API of etcd ${ETCD_VERSION}`,
    '',
    `  listening on  ${urls.join(', ')}`,
    `  data in       ${location}`,
    ...(ignoredFlags.length > 0
      ? [`  ignored       ${ignoredFlags.join(', ')}: they mean nothing here`]
      : []),
    `  try           curl -X POST ${url}/v3/kv/put -d '{"key": "Zm9v", "value": "YmFy"}'`,
    '',
  ]
  say(lines.join('\n'), { event: 'ready', listening: urls, data: location, ignored: ignoredFlags })
}
