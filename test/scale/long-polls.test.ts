import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import type { GatewayServer } from '../support/etcd.ts'
import { nginxBinary, startNginx } from '../support/nginx.ts'
import { type Postgres, startPostgres } from '../support/postgres.ts'
import { LOG_ENTRIES } from '../support/postgres-log.ts'
import { chosenWays, WORKER_WAYS } from '../support/worker-ways.ts'
import { startWorkerd } from '../support/workerd.ts'
import { follow, WRITES_PER_SECOND } from './follow.ts'

const SECONDS = 6
const nginx = nginxBinary()
const coordinated = chosenWays(['hyperdrive+coordinator']).filter((way) => WORKER_WAYS[way].coordinator)

describe('long polls on one prefix at two writes a second: each sees each revision once, in order', () => {
  let postgres: Postgres
  beforeAll(async () => {
    // Where no driver says what a connection is of, it is the server's.
    const settings = { ...LOG_ENTRIES, log_statement: 'all', application_name: 'edgetcd' }
    postgres = await startPostgres(18, { settings })
  })
  afterAll(() => postgres[Symbol.asyncDispose]())

  const database = () => ({ databaseUrl: postgres.url, schema: postgres.freshSchema() })

  /** Runs both crowds one after the other, and compares what PostgreSQL saw of them. */
  async function compare({ gateway }: GatewayServer, seconds: number, pollUrl?: string): Promise<void> {
    const options = { seconds, ...(pollUrl !== undefined && { pollUrl }) }
    const few = await follow(postgres, gateway, { ...options, count: 100 })
    const many = await follow(postgres, gateway, { ...options, count: 1000 })
    console.log(`statements for 100: ${few}, for 1,000: ${many}`)
    expect(few, 'each write, and each read of it').toBeGreaterThanOrEqual(2 * WRITES_PER_SECOND * seconds)
    // How often is looked between two writes depends on how busy the machine is; by who waits it would be ten times.
    expect(many).toBeLessThanOrEqual(few * 2)
  }

  it('on Node a thousand cost the database what a hundred do', async () => {
    await using server = await startEdgetcd(database())
    await compare(server, SECONDS)
  })

  it.each(coordinated)('in a Worker, %s: a thousand cost what a hundred do', async (way) => {
    await using server = await startWorkerd({ ...database(), ...WORKER_WAYS[way] })
    await compare(server, SECONDS)
  })

  it.skipIf('missing' in nginx)(
    'in a Worker behind a shared cache, where each request reads for itself: a thousand cost what a hundred do',
    async () => {
      if ('missing' in nginx) return
      await using server = await startWorkerd(database())
      await using cache = await startNginx(nginx.path, server.gateway.url)
      await compare(server, SECONDS, cache.url)
    },
  )
})
