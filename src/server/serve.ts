import { type Config, ConfigError } from '../config/config.ts'
import type { StoreAddress } from '../config/store-addresses.ts'
import { type Database, openDatabase } from '../database.ts'
import type { Environment, Log } from '../environment.ts'
import { Metrics } from '../observe/metrics.ts'
import { addProcessMetrics } from '../observe/node-process-metrics.ts'
import { Tokens } from '../service/auth/tokens.ts'
import { errorText } from '../thrown.ts'
import { readTlsFiles } from '../tls/files.ts'
import type { TlsOptions } from '../tls/index.ts'
import { clientUrlsOf } from './client-urls.ts'
import { hostOf } from './first-call.ts'
import { frontsOf } from './fronts.ts'
import { type HttpServers, listen, tryPorts } from './http-server.ts'
import { type Ready, type Say, sayReady } from './say-ready.ts'
import { ServedStore } from './served-store.ts'

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
  const addresses = addressesOf(config)
  const storeUrls = addresses.flatMap(({ urls }) => urls)
  await tryPorts([...new Set([...config.listenClientUrls, ...storeUrls, ...config.listenMetricsUrls])])
  const schemas = addresses.map(({ schema }) => schema)
  const database = await openDatabase(config, log, { schemas })
  const stopping = new AbortController()
  const ofProcess = new Metrics()
  addProcessMetrics(ofProcess)
  const stores = addresses.map((address, at) => {
    const store = new ServedStore(address, at, config, environment, database.sql)
    store.instruments.metrics.include(ofProcess)
    return store
  })
  const servers: HttpServers[] = []
  try {
    await Promise.all(stores.map((store) => store.look()))
    const tls = tlsOptions(config, log)
    const listening: Listening = new Map()
    for (const { urls, gateway, grpc } of frontsOf(config, stores, ofProcess)) {
      const server = await listen(urls, gateway, { grpc, tls })
      servers.push(server)
      listening.set(urls, server.urls)
    }
    for (const store of stores) store.compactUntil(stopping.signal)
    tellClients(stores, listening, config)
    sayReady(readyOf(stores, listening, database, config), config, say)
    const lost = await Promise.race([stop.then(() => undefined), database.ended])
    log('info', 'stopping')
    stopping.abort()
    for (const store of stores) store.endWatches()
    await Promise.all(servers.map((server) => server.stop()))
    if (lost !== undefined) throw lost
  } finally {
    stopping.abort()
    // Again, for those that did listen when another one couldn't.
    await Promise.all(servers.map((server) => server.stop()))
    await Promise.all(stores.map((store) => store.close()))
    await database.sql.close()
    await database.close()
  }
}

/** One store alone is on all URLs. */
function addressesOf({ stores, schema, listenClientUrls }: Config): readonly StoreAddress[] {
  return stores.length > 0 ? stores : [{ schema, urls: listenClientUrls, hosts: [] }]
}

/** Where it listens, with the ports that the system chose, by what was asked for. */
type Listening = Map<readonly string[], readonly string[]>

/** What is advertised as it was configured may have got its port only now. */
function tellClients(stores: readonly ServedStore[], listening: Listening, config: Config): void {
  const shared = listening.get(config.listenClientUrls)
  const advertised = config.advertiseClientUrls.map(
    (url) => shared?.[config.listenClientUrls.indexOf(url)] ?? url,
  )
  for (const store of stores) {
    const { urls, hosts } = store.address
    store.clientUrls =
      config.stores.length === 0
        ? advertised
        : clientUrlsOf({ urls: listening.get(urls) ?? urls, hosts }, advertised)
  }
}

function readyOf(
  stores: readonly ServedStore[],
  listening: Listening,
  { location }: Database,
  { stores: several, listenMetricsUrls }: Config,
): Ready {
  const metrics = listening.get(listenMetricsUrls) ?? []
  return {
    clients: [...listening].flatMap(([asked, urls]) => (asked === listenMetricsUrls ? [] : urls)),
    metrics,
    stores:
      several.length === 0
        ? []
        : stores.map(({ address, clientUrls }) => ({ name: address.schema, urls: clientUrls })),
    location,
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
  const { listenClientUrls, listenMetricsUrls, advertiseClientUrls, stores } = config
  const ownUrls = stores.flatMap((store) => store.urls)
  const urls = [...listenClientUrls, ...ownUrls, ...listenMetricsUrls, ...advertiseClientUrls]
  const hosts = [...new Set([...urls.map(hostOf), ...stores.flatMap((store) => store.hosts)])]
  return { settings: config.tls, dataDir: config.dataDir, hosts, log }
}
