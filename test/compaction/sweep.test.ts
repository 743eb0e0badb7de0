import { create } from '@bufbuild/protobuf'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CompactionRequestSchema } from '../../src/etcd/generated/etcdserverpb/rpc_pb.ts'
import { NEVER } from '../../src/never.ts'
import { POSTGRES_VERSIONS, type Postgres, startPostgres } from '../support/postgres.ts'
import { chosenSeed, SeededRandom } from '../support/random.ts'
import { bytes, openStore, type TestStore } from '../support/store.ts'

const EVERYTHING = { key: new Uint8Array([0]), rangeEnd: new Uint8Array([0]) }
const REVISIONS = 60
const seed = chosenSeed()

/** Puts, deletes of a key and of intervals, and transactions of several changes, over few keys. */
async function makeHistory({ put, del, txn }: TestStore, random: SeededRandom): Promise<void> {
  const key = () => bytes(`k${random.between(0, 8)}`)
  for (let change = 0; change < REVISIONS; change++) {
    const kind = random.between(0, 9)
    if (kind < 5) await put({ key: key(), value: bytes(`${change}`.repeat(random.between(1, 900))) })
    else if (kind < 7) await del({ key: key() })
    else if (kind < 8) await del({ key: bytes('k5'), rangeEnd: bytes('k9') })
    else {
      await txn({
        success: [
          { request: { case: 'requestDeleteRange', value: { key: bytes('k0'), rangeEnd: bytes('k3') } } },
          ...['k4', 'k6', 'k8'].map((name) => ({
            request: { case: 'requestPut' as const, value: { key: bytes(name), value: bytes(`${change}`) } },
          })),
        ],
      })
    }
  }
}

/** What can be asked of a compacted store, all of it: the keys and the hash at each revision, and the events. */
async function everythingAsked({ store, range }: TestStore): Promise<unknown> {
  const { revision, compactRevision } = await store.head()
  const moments: unknown[] = []
  for (let at = compactRevision; at <= revision; at++) {
    const { kvs, count } = await range({ ...EVERYTHING, revision: at })
    moments.push({ at, kvs, count, hash: (await store.history.hash(at)).hash })
  }
  const { events } = await store.events.read({ after: compactRevision, prevKv: true })
  const withPrevious = events.filter(({ kv }) => kv.modRevision > compactRevision + 1n)
  return { moments, withPrevious, all: events.map(({ type, kv }) => ({ type, kv })) }
}

describe.each(POSTGRES_VERSIONS)(
  `freeing the space of a compaction on PostgreSQL %i (seed ${seed})`,
  (version) => {
    let postgres: Postgres
    beforeAll(async () => {
      postgres = await startPostgres(version)
    })
    afterAll(() => postgres[Symbol.asyncDispose]())

    const openHistory = () => openStore(postgres)
    const compact = ({ store }: TestStore, revision: bigint) =>
      store.compact(create(CompactionRequestSchema, { revision }), NEVER)
    const batch = async ({ schema }: TestStore, rowLimit: number): Promise<boolean> =>
      (await postgres.query(`select ${schema}.sweep(${rowLimit}) as more`)).rows[0].more
    const log = async ({ schema }: TestStore): Promise<string[]> => {
      const { rows } = await postgres.query(
        `select mod_revision || '/' || sub as row from ${schema}.log order by mod_revision, sub`,
      )
      return rows.map(({ row }) => row)
    }
    /** The rows that a compaction keeps: what came after it, what lives at it, and a tombstone exactly at it. */
    const needed = async ({ schema }: TestStore): Promise<string[]> => {
      const { rows } = await postgres.query(
        `select l.mod_revision || '/' || l.sub as row from ${schema}.log l, ${schema}.head h
       where l.mod_revision > h.compact_revision or (l.deleted and l.mod_revision = h.compact_revision)
          or not l.deleted and not exists (
               select from ${schema}.log n where n.key = l.key and n.mod_revision <= h.compact_revision
               and (n.mod_revision, n.sub) > (l.mod_revision, l.sub))
       order by l.mod_revision, l.sub`,
      )
      return rows.map(({ row }) => row)
    }

    test('invariant 8: cut off after any batch, reads and hashes stay what they are, and the rest is freed later', async () => {
      await using store = await openHistory()
      const random = new SeededRandom(seed)
      await makeHistory(store, random)
      const { revision } = await store.store.head()
      for (const goal of [(2n * revision) / 5n, (4n * revision) / 5n, revision]) {
        await compact(store, goal)
        const before = await everythingAsked(store)
        const left = await needed(store)
        expect((await log(store)).length).toBeGreaterThan(left.length)
        let batches = 1
        for (; await batch(store, random.between(1, 4)); batches++) {
          // What a killed process leaves: the batches that it committed.
          if (batches % 4 === 0) expect(await everythingAsked(store)).toEqual(before)
        }
        expect(batches).toBeGreaterThan(1)
        expect(await everythingAsked(store)).toEqual(before)
        expect(await log(store)).toEqual(left)
        expect(await batch(store, 1000), 'nothing is left to do').toBe(false)
      }
    })

    test('invariant 8: a batch that is cut off in its middle leaves nothing, and the next one does it', async () => {
      await using store = await openHistory()
      await makeHistory(store, new SeededRandom(seed))
      await compact(store, (await store.store.head()).revision)
      const [rows, left] = [await log(store), await needed(store)]
      const killed = new pg.Client({ connectionString: postgres.url })
      await killed.connect()
      const ended = new Promise<unknown>((resolve) => killed.on('error', resolve))
      await killed.query('begin')
      await killed.query(`select ${store.schema}.sweep(20)`)
      const { rows: pids } = await killed.query('select pg_backend_pid() as pid')
      // The next sweep waits for this one, and goes on once it is gone.
      const next = batch(store, 1000)
      await someoneWaits()
      expect(await log(store)).toEqual(rows)
      await postgres.query(`select pg_terminate_backend(${pids[0].pid})`)
      await ended
      expect(await next).toBe(false)
      expect(await log(store)).toEqual(left)
    })

    test('invariant 8: sweeps at once take turns, and writes wait for none of them', async () => {
      await using store = await openHistory()
      await makeHistory(store, new SeededRandom(seed))
      await compact(store, (await store.store.head()).revision - 5n)
      const before = await everythingAsked(store)
      const left = await needed(store)
      const sweepAll = async (rowLimit: number) => {
        while (await batch(store, rowLimit));
      }
      await Promise.all([sweepAll(2), sweepAll(3), store.store.compaction.sweep(), sweepAll(5)])
      expect(await everythingAsked(store)).toEqual(before)
      expect(await log(store)).toEqual(left)

      const sweeping = new pg.Client({ connectionString: postgres.url })
      await sweeping.connect()
      await compact(store, (await store.store.head()).revision)
      await sweeping.query('begin')
      await sweeping.query(`select ${store.schema}.sweep(1)`)
      await store.put({ key: bytes('k0'), value: bytes('while a sweep is under way') })
      await store.del({ ...EVERYTHING })
      await sweeping.query('commit')
      await sweeping.end()
    })

    /** Resolves once some session waits for another one's lock. */
    async function someoneWaits(): Promise<void> {
      for (;;) {
        const { rowCount } = await postgres.query(
          `select from pg_stat_activity where wait_event_type = 'Lock'`,
        )
        if (rowCount) return
      }
    }
  },
)
