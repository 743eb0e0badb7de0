/**
 * The application on a database connection with Hyperdrive's query cache, as far as it can be had without Cloudflare:
 * the conformance scenarios run against it as against any other deployment. Settings come from the environment.
 */
import { compose } from '../../src/compose.ts'
import { readConfig } from '../../src/config/config.ts'
import { createGateway } from '../../src/gateway/node.ts'
import { listen } from '../../src/http-server.ts'
import { createInstruments } from '../../src/observe/instruments.ts'
import { migrate } from '../../src/store/migrate.ts'
import { openPostgres } from '../../src/store/postgres/index.ts'
import { systemEnvironment } from '../../src/system-environment.ts'
import { withQueryCache } from './query-cache.ts'

const config = readConfig({}, process.env)
const environment = systemEnvironment((level, message, fields) => {
  if (level === 'error' || level === 'warn') console.error(message, fields)
})
const database = { connectionString: config.databaseUrl }
await migrate(database, config.schema, environment.log)
const application = compose({
  sql: withQueryCache(openPostgres(database)),
  config,
  environment,
  instruments: createInstruments(),
  resident: true,
})
const servers = await listen(config.listenClientUrls, createGateway(application.context))
process.once('SIGTERM', async () => {
  application.endWatches()
  await servers.stop()
  await application.close()
})
