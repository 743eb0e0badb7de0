/**
 * What the tests start, stop and kill: the smallest server on the embedded PostgreSQL. It tells what happens in
 * lines of JSON, runs each line of its standard input as SQL, and ends cleanly at SIGTERM.
 */
import { createInterface } from 'node:readline'
import pg from 'pg'
import { startEmbedded } from '../../src/store/embedded/index.ts'

const tell = (line: Record<string, unknown>): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

async function main(dataDir: string): Promise<void> {
  const startedMs = performance.now()
  const embedded = await startEmbedded({
    dataDir,
    log: (level, message, fields) => tell({ event: 'log', level, message, fields }),
  })
  embedded.ended.then((error) => tell({ event: 'ended', message: error.message }))
  const client = new pg.Client(embedded.connection)
  client.on('error', () => {})
  await client.connect()
  const end = async () => {
    await embedded.close()
    tell({ event: 'closed' })
    process.exit(0)
  }
  process.once('SIGTERM', end)
  tell({ event: 'started', ms: Math.round(performance.now() - startedMs), connection: embedded.connection })
  for await (const sql of createInterface({ input: process.stdin })) {
    const answer = await client.query({ text: sql, rowMode: 'array' }).catch((error: Error) => error)
    if (answer instanceof Error) tell({ event: 'failure', message: answer.message })
    else tell({ event: 'rows', rows: answer.rows })
  }
  // The test that started this is gone.
  await end()
}

main(process.argv[2] ?? '').catch((error: Error) => {
  tell({ event: 'refused', name: error.name, message: error.message })
  process.exit(1)
})
