import fc from 'fast-check'
import { expect, it } from 'vitest'
import { settled } from '../../service/watch/testing/environment.ts'
import type { MemoryLog } from '../../service/watch/testing/memory-log.ts'
import { type Connection, openEvents } from './testing/connection.ts'

/*
 * An EventSource that is cut off anywhere, within an event too, and comes back with its last id: it sees each event of
 * its keys once, in order, whole revisions, none missing. A failure prints fast-check's seed and path.
 */

/** Everything that begins with k, from the beginning. */
const TARGET = '/v3/watch?key=aw&range_end=bA&start_revision=1'
const STREAM_MAX_MS = 150_000

type Command =
  | { readonly type: 'write'; readonly keys: readonly string[]; readonly quietly: boolean }
  | { readonly type: 'read'; readonly pieces: number }
  /** Of the next piece, this part arrives; then the connection breaks. */
  | { readonly type: 'cut'; readonly part: number }
  | { readonly type: 'pass'; readonly ms: number }
  | { readonly type: 'compact' }

const key = fc.constantFrom('k1', 'k2', 'k3', 'x')
const command: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    type: fc.constant('write' as const),
    keys: fc.uniqueArray(key, { minLength: 1, maxLength: 3 }),
    quietly: fc.boolean(),
  }),
  fc.record({ type: fc.constant('read' as const), pieces: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ type: fc.constant('cut' as const), part: fc.constantFrom(0, 0.1, 0.5, 0.9, 1) }),
  fc.record({ type: fc.constant('pass' as const), ms: fc.constantFrom(1, 200, 15_000, 100_000) }),
  fc.record({ type: fc.constant('compact' as const) }),
)

class Source {
  readonly seen: string[] = []
  lastEventId = ''
  readonly #connect: ReturnType<typeof openEvents>['connect']
  #connection: Connection | undefined
  #piece: Promise<string | undefined> | undefined

  constructor(connect: ReturnType<typeof openEvents>['connect']) {
    this.#connect = connect
  }

  /** Takes the next piece if there is one by now, or the first `part` of it, after which the connection breaks. */
  async read(part?: number): Promise<void> {
    this.#connection ??= await this.#connect(TARGET, this.lastEventId)
    this.#piece ??= this.#connection.piece()
    const waiting = 'waiting' as const
    const piece = await Promise.race([this.#piece, settled().then(() => waiting)])
    const { reader } = this.#connection
    if (piece !== waiting) {
      this.#piece = undefined
      const arrived = part === undefined ? piece : piece?.slice(0, Math.floor(piece.length * part))
      for (const { name, data } of reader.push(arrived ?? '')) if (name === 'message') this.#see(data)
      this.lastEventId = reader.lastEventId
    }
    if (part !== undefined || piece === undefined) await this.#break()
  }

  async #break(): Promise<void> {
    await this.#connection?.close()
    this.#connection = undefined
    this.#piece = undefined
  }

  #see(data: string): void {
    for (const { type = 'PUT', kv } of JSON.parse(data).events) {
      this.seen.push(`${type} ${Buffer.from(kv.key, 'base64')}@${kv.mod_revision}`)
    }
  }
}

function truth(log: MemoryLog): string[] {
  return log.truth
    .map(({ type, kv }) => `${type} ${Buffer.from(kv.key)}@${kv.modRevision}`)
    .filter((event) => event.includes(' k'))
}

it('loses nothing and repeats nothing, wherever it is cut off', async () => {
  const run = async (commands: readonly Command[]) => {
    const { log, clock, connect } = openEvents({ streamMaxMs: STREAM_MAX_MS })
    log.revisionsPerRead = 5n
    const source = new Source(connect)
    const act = async (command: Command) => {
      switch (command.type) {
        case 'write':
          log.write(
            command.keys.map((put) => ({ put })),
            { quietly: command.quietly },
          )
          return
        case 'read':
          for (let piece = 0; piece < command.pieces; piece++) await source.read()
          return
        case 'cut':
          return await source.read(command.part)
        case 'pass':
          return await clock.pass(command.ms)
        case 'compact':
          // No further than the client has come: what it still needs stays.
          if (source.lastEventId !== '') {
            log.compact(BigInt(source.lastEventId) + 1n)
            log.sweep()
          }
          return
        default:
          command satisfies never
      }
    }
    for (const command of commands) await act(command)
    log.put('k-last')
    for (let turn = 0; turn < 100 && source.seen.at(-1) !== truth(log).at(-1); turn++) {
      await clock.pass(200)
      await source.read()
    }
    expect(source.seen).toEqual(truth(log))
  }
  await fc.assert(fc.asyncProperty(fc.array(command, { maxLength: 40 }), run), { numRuns: 300 })
})
