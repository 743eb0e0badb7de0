import type { JsonObject } from '../support/gateway.ts'
import { SeededRandom } from '../support/random.ts'
import { mayRewrite, type Operation, OperationGenerator, type StoreState } from './generator.ts'
import { ask, compareHistories, type Difference, headerRevision, type Pair } from './history.ts'

export interface Outcome<O extends Operation = Operation> {
  /** What was sent, up to the first difference. */
  readonly operations: readonly O[]
  readonly difference?: Difference
}

/** How operations are tried on servers that nobody has used. */
export interface Trial<P = Pair, O extends Operation = Operation> {
  readonly fresh: () => Promise<P & AsyncDisposable>
  readonly run: (servers: P) => Promise<Outcome<O>>
  /** Sends just these. */
  readonly replay: (servers: P, operations: readonly O[]) => Promise<Outcome<O>>
}

/** Gives both servers the same `count` operations out of `seed`, and compares every answer and then the history. */
export async function runRandom(pair: Pair, seed: number, count: number): Promise<Outcome> {
  const generator = new OperationGenerator(new SeededRandom(seed))
  const next = (state: StoreState, sent: number) => (sent < count ? generator.next(state) : undefined)
  return run(pair, next, seed)
}

/** The same with operations that are known already, on servers that nobody has used. */
export async function replay(pair: Pair, operations: readonly Operation[], seed: number): Promise<Outcome> {
  return run(pair, (_, sent) => operations[sent], seed)
}

async function run(
  pair: Pair,
  next: (state: StoreState, sent: number) => Operation | undefined,
  seed: number,
): Promise<Outcome> {
  const state: StoreState = { revision: 1, compactRevision: 0, rewritten: new Set() }
  const operations: Operation[] = []
  for (let operation = next(state, 0); operation; operation = next(state, operations.length)) {
    operations.push(operation)
    const { answer, difference } = await ask(pair, operation.path, operation.body)
    if (difference) return { operations, difference }
    advance(state, operation, answer)
  }
  const difference = await compareHistories(pair, state, new SeededRandom(seed + 1))
  return difference ? { operations, difference } : { operations }
}

export function advance(state: StoreState, operation: Operation, answer: JsonObject): void {
  if (answer.status !== 200) return
  state.revision = headerRevision(answer) || state.revision
  if (mayRewrite(operation)) state.rewritten.add(state.revision)
  if (operation.path === '/v3/kv/compaction') state.compactRevision = Number(operation.body.revision)
}

/**
 * Looks for fewer operations that still make the two differ: leaves out halves, quarters and so on, each time on
 * fresh servers, until nothing more can go or `budgetMs` is over.
 */
export async function shrink<P, O extends Operation>(
  { fresh, replay }: Trial<P, O>,
  failing: Outcome<O>,
  budgetMs: number,
): Promise<Outcome<O>> {
  const deadline = Date.now() + budgetMs
  let best = failing
  for (
    let size = Math.ceil(best.operations.length / 2);
    size >= 1;
    size = size === 1 ? 0 : Math.ceil(size / 2)
  ) {
    for (let from = best.operations.length - size; from >= 0 && Date.now() < deadline; from -= size) {
      const fewer = best.operations.filter((_, index) => index < from || index >= from + size)
      await using servers = await fresh()
      const outcome = await replay(servers, fewer)
      if (outcome.difference) best = outcome
    }
  }
  return best
}
