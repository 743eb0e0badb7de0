import { compose } from './compose.ts'
import { type Config, ConfigError } from './config/config.ts'
import { openDatabase } from './database.ts'
import type { Environment, Log } from './environment.ts'
import { firstCall, hostOf } from './first-call.ts'
import { createGateway } from './gateway/node.ts'
import { createGrpcServer } from './grpc/server.ts'
import { type HttpServers, listen, tryPorts } from './http-server.ts'
import { createInstruments } from './observe/instruments.ts'
import { addProcessMetrics } from './observe/node-process-metrics.ts'
import { Tokens } from './service/auth/tokens.ts'
import { runCompactor } from './service/compactor/index.ts'
import { errorText } from './thrown.ts'
import { readTlsFiles } from './tls/files.ts'
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
  await tryTokenKeys(config, environment)
  // Before a data directory is made for a server that can't start.
  if (config.tls !== undefined) readTlsFiles(config.tls)
  await tryPorts([...config.listenClientUrls, ...config.listenMetricsUrls])
  const database = await openDatabase(config, log)
  const stopping = new AbortController()
  const instruments = createInstruments(config.metrics)
  addProcessMetrics(instruments.metrics)
  let clientUrls = config.advertiseClientUrls
  const application = compose({
    sql: database.sql,
    config,
    environment,
    instruments,
    resident: true,
    clientUrls: () => clientUrls,
  })
  let compacting: Promise<void> | undefined
  const servers: HttpServers[] = []
  try {
    // The first look at the store arms the timer of its leases.
    await application.store.head()
    const tls = tlsOptions(config, log)
    const { context } = application
    for (const [urls, serves] of [
      [config.listenClientUrls, 'all'],
      [config.listenMetricsUrls, 'operations'],
    ] as const) {
      const grpc = serves === 'all' ? createGrpcServer(context) : undefined
      servers.push(await listen(urls, createGateway(context, serves), { grpc, tls }))
    }
    if (config.retention !== undefined) {
      compacting = runCompactor(
        application.store,
        config.retention,
        environment,
        instruments.triggerFailures,
        stopping.signal,
      )
    }
    const [clients, metrics] = servers.map(({ urls }) => urls)
    // What is advertised as it was configured may have got its port only now.
    clientUrls = clientUrls.map((url) => clients?.[config.listenClientUrls.indexOf(url)] ?? url)
    sayReady({ clients, metrics, location: database.location }, config, say)
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

/** Otherwise authentication could be switched on, and nobody would ever be let in. */
async function tryTokenKeys({ authToken, authTokenTtl }: Config, { clock }: Environment): Promise<void> {
  try {
    await new Tokens({ key: authToken, ttl: authTokenTtl, clock }).tryKeys()
  } catch (error) {
    const reason = errorText(error)
    throw new ConfigError(`--auth-token: no tokens can be signed with its keys: ${reason}`)
  }
}

function tlsOptions(config: Config, log: Log): TlsOptions | undefined {
  if (config.tls === undefined) return undefined
  const urls = [...config.listenClientUrls, ...config.listenMetricsUrls, ...config.advertiseClientUrls]
  const hosts = [...new Set(urls.map(hostOf))]
  return { settings: config.tls, dataDir: config.dataDir, hosts, log }
}

interface Ready {
  /** Where it listens, for clients and for whoever scrapes its metrics alone. */
  readonly clients: readonly string[] | undefined
  readonly metrics: readonly string[] | undefined
  readonly location: string
}

function sayReady({ clients = [], metrics = [], location }: Ready, config: Config, say: Say): void {
  const ignored = config.ignoredFlags
  const meaning = ignored.length === 1 ? 'it means nothing here' : 'they mean nothing here'
  const curl = firstCall(clients, config)
  const lines = [
    `edgetcd ${EDGETCD_VERSION} serves the API of etcd ${ETCD_VERSION}`,
    '',
    `  listening on  ${clients.join(', ')}`,
    ...(metrics.length > 0 ? [`  metrics on    ${metrics.join(', ')}`] : []),
    `  data in       ${location}`,
    ...(ignored.length > 0 ? [`  ignored       ${ignored.join(', ')}: ${meaning}`] : []),
    ...(curl === undefined ? [] : [`  try           ${curl}`]),
    '',
  ]
  say(lines.join('\n'), { event: 'ready', listening: clients, metrics, data: location, ignored })
}
