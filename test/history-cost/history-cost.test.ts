import { expect, it } from 'vitest'
import { POSTGRES_VERSIONS, type Postgres, postgresMissing, startPostgres } from '../support/postgres.ts'
import { LOG_ENTRIES, logDuring } from '../support/postgres-log.ts'
import { bytes, openStore, type TestStore } from '../support/store.ts'

const KEYS = 1000
const REVISIONS = 200_000

const key = (index: number) => bytes(`/registry/pods/${String(index).padStart(6, '0')}`)
const value = (revision: number) => bytes(`${revision}`.padEnd(256, 'x'))
const all = { key: bytes('/registry/'), rangeEnd: bytes('/registry0') }

/** Every way of reading the present. */
const READS: Readonly<Record<string, (store: TestStore) => Promise<unknown>>> = {
  'a key': (store) => store.range({ key: key(500) }),
  'a key that is not there': (store) => store.range({ key: bytes('/registry/pods/none') }),
  '100 keys': (store) => store.range({ key: key(300), rangeEnd: key(400) }),
  'all keys': (store) => store.range(all),
  'the first 10 keys': (store) => store.range({ ...all, limit: 10n }),
  'all keys without values': (store) => store.range({ ...all, keysOnly: true }),
  'the count of all keys': (store) => store.range({ ...all, countOnly: true }),
  'the newest 10 keys': (store) => store.range({ ...all, limit: 10n, sortOrder: 2, sortTarget: 3 }),
}

interface ExplainedPlan {
  readonly Plan: { readonly 'Shared Hit Blocks': number; readonly 'Shared Read Blocks': number }
}

/** Pages that the read's statements touched, as EXPLAIN (ANALYZE, BUFFERS) says. */
async function buffers(postgres: Postgres, read: () => Promise<unknown>): Promise<number> {
  // The plan of a prepared statement is settled after some executions.
  for (let i = 0; i < 10; i++) await read()
  const entries = await logDuring(postgres, read)
  const plans = entries
    .filter((entry) => entry.startsWith('edgetcd=') && entry.includes('plan:'))
    .map((entry) => JSON.parse(entry.slice(entry.indexOf('{'))) as ExplainedPlan)
  expect(plans.length, 'statements of one read').toBe(1)
  return plans.reduce((sum, { Plan }) => sum + Plan['Shared Hit Blocks'] + Plan['Shared Read Blocks'], 0)
}

async function buffersOfReads(postgres: Postgres, store: TestStore): Promise<Record<string, number>> {
  await postgres.query('vacuum (analyze)')
  const found: Record<string, number> = {}
  for (const [name, read] of Object.entries(READS)) found[name] = await buffers(postgres, () => read(store))
  return found
}

/** Overwrites the keys in turn, a revision a put, as many at once as the store will batch. */
async function overwrite(store: TestStore): Promise<void> {
  let next = 0
  const writer = async () => {
    for (let revision = next++; revision < REVISIONS; revision = next++) {
      await store.put({ key: key(revision % KEYS), value: value(revision) })
    }
  }
  await Promise.all(Array.from({ length: 256 }, writer))
}

for (const version of POSTGRES_VERSIONS) {
  it.skipIf(postgresMissing(version))(
    `invariant 6: reading the present touches as much after ${REVISIONS} revisions of ${KEYS} keys as before, PostgreSQL ${version}`,
    { timeout: 300_000 },
    async () => {
      await using postgres = await startPostgres(version, {
        settings: {
          ...LOG_ENTRIES,
          session_preload_libraries: 'auto_explain',
          'auto_explain.log_min_duration': '0',
          'auto_explain.log_analyze': 'on',
          'auto_explain.log_buffers': 'on',
          'auto_explain.log_format': 'json',
        },
      })
      await using store = await openStore(postgres)
      await Promise.all(
        Array.from({ length: KEYS }, (_, index) => store.put({ key: key(index), value: value(0) })),
      )
      const before = await buffersOfReads(postgres, store)
      await overwrite(store)
      expect((await store.store.head()).revision).toBe(BigInt(1 + KEYS + REVISIONS))
      const after = await buffersOfReads(postgres, store)
      console.table(
        Object.fromEntries(
          Object.keys(READS).map((name) => [name, { before: before[name], after: after[name] }]),
        ),
      )
      for (const name of Object.keys(READS)) {
        expect(after[name], name).toBeLessThanOrEqual((before[name] as number) + 2)
      }
    },
  )
}
