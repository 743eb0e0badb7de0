import { Instruction } from '../program/instruction.ts'
import type { Sql, SqlParameter, SqlRow } from '../sql.ts'

/** One batch that was sent, and waits for the test to say how it ends. */
export interface SentBatch {
  /** The numbers of the MARK instructions in it: whose requests it carries. */
  readonly members: readonly number[]
  /** Commits it at the next revision; the members in `refused` leave that outcome (program/instruction.ts) instead. */
  commit(refused?: Readonly<Record<number, number>>): void
  fail(error: Error): void
}

/** A database that holds every write until the test lets it go. Each request of a program is one REQUEST and one MARK. */
export class HeldSql implements Sql {
  /** Every batch that was ever sent. */
  readonly sent: SentBatch[] = []
  #revision = 1n
  #taken = 0
  #wake: (() => void) | undefined

  write(_: unknown, parameters: readonly SqlParameter[]): Promise<SqlRow[]> {
    return new Promise((resolve, reject) => {
      const codes = parameters[0] as readonly number[]
      const numbers = parameters[2] as readonly bigint[]
      const marks = codes.flatMap((code, i) => (code === Instruction.Mark ? [i] : []))
      this.sent.push({
        members: marks.map((i) => Number(numbers[i])),
        commit: (refused = {}) => {
          const rows = marks.map((i) => {
            this.#revision++
            const outcome = refused[Number(numbers[i])]
            return outcome === undefined ? row(i + 1, 0, this.#revision) : row(i, outcome, --this.#revision)
          })
          resolve([...rows, storeRow(this.#revision)])
        },
        fail: reject,
      })
      this.#wake?.()
    })
  }

  /** The next batch that is sent. */
  async next(): Promise<SentBatch> {
    for (;;) {
      const batch = this.sent[this.#taken]
      if (batch !== undefined) {
        this.#taken++
        return batch
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  read(): Promise<SqlRow[]> {
    throw new Error('nothing reads here')
  }

  long(): Promise<SqlRow[]> {
    throw new Error('nothing reads here')
  }

  async close(): Promise<void> {}
}

/** A row of apply() for a step: its outcome, and the revision there. */
const row = (step: number, outcome: number, revision: bigint): SqlRow => [step, outcome, revision, 0n, null]

/** The last row of apply(): the store's revision, no lease due, nothing compacted. */
const storeRow = (revision: bigint): SqlRow => [0, 0, revision, null, null, -1n, 1n]
