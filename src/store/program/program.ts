import type { Interval } from '../interval.ts'
import { Instruction, type RefusedBy } from './instruction.ts'

/** The parts of an instruction that are not left empty. */
interface Operands {
  readonly flag?: number
  readonly number?: bigint
  readonly number2?: bigint
  readonly key?: Uint8Array
  readonly interval?: Interval
  readonly operand?: Uint8Array
}

/** Until a jump's goal is known. */
const UNPLACED = 0

/** The instructions whose flag is the step to go on with. */
const JUMPS: ReadonlySet<number> = new Set([
  Instruction.Request,
  Instruction.Compare,
  Instruction.Take,
  Instruction.Branch,
  Instruction.Jump,
])

/** `Program.parameters()`: what apply() and inspect() take, and what can be sent elsewhere to be appended there. */
export type ProgramParameters = readonly [
  codes: readonly number[],
  flags: readonly number[],
  numbers: readonly bigint[],
  numbers2: readonly bigint[],
  fromKeys: readonly (Uint8Array | null)[],
  toKeys: readonly (Uint8Array | null)[],
  operands: readonly (Uint8Array | null)[],
]

/**
 * A batch as the flat program that apply() and inspect() run: parallel arrays, one element an instruction. Steps are
 * counted from 1, as the arrays are in SQL.
 */
export class Program {
  readonly #codes: number[] = []
  readonly #flags: number[] = []
  readonly #numbers: bigint[] = []
  readonly #numbers2: bigint[] = []
  readonly #fromKeys: (Uint8Array | null)[] = []
  readonly #toKeys: (Uint8Array | null)[] = []
  readonly #operands: (Uint8Array | null)[] = []

  /** The step that the next instruction will have. */
  get nextStep(): number {
    return this.#codes.length + 1
  }

  /** Appends an instruction and gives its step. */
  add(code: Instruction, operands: Operands = {}): number {
    this.#codes.push(code)
    this.#flags.push(operands.flag ?? 0)
    this.#numbers.push(operands.number ?? 0n)
    this.#numbers2.push(operands.number2 ?? 0n)
    this.#fromKeys.push(operands.interval?.from ?? operands.key ?? null)
    this.#toKeys.push(operands.interval?.to ?? null)
    this.#operands.push(operands.operand ?? null)
    return this.#codes.length
  }

  /** Appends an instruction whose jump isn't known yet; `land` gives it one. */
  addJump(code: Instruction, operands: Operands = {}): number {
    return this.add(code, { ...operands, flag: UNPLACED })
  }

  /** Lets the jumps of these steps lead to the next instruction. */
  land(...steps: readonly number[]): void {
    for (const step of steps) this.#flags[step - 1] = this.nextStep
  }

  /**
   * Appends one request: `body` appends its instructions.
   * @param authVersion the version of the rights that the caller was authorized under; below 0: whichever it is
   * @param refusedBy the alarms that refuse it
   */
  request(authVersion: bigint, refusedBy: RefusedBy, body: () => void): void {
    const step = this.addJump(Instruction.Request, { number: authVersion, number2: BigInt(refusedBy) })
    body()
    this.land(step)
  }

  /** Appends all that another program has; its first step becomes the next one here. */
  append([codes, flags, numbers, numbers2, fromKeys, toKeys, operands]: ProgramParameters): void {
    const moved = this.#codes.length
    for (const [i, code] of codes.entries()) {
      const flag = flags[i] ?? 0
      this.#codes.push(code)
      this.#flags.push(JUMPS.has(code) ? flag + moved : flag)
      this.#numbers.push(numbers[i] ?? 0n)
      this.#numbers2.push(numbers2[i] ?? 0n)
      this.#fromKeys.push(fromKeys[i] ?? null)
      this.#toKeys.push(toKeys[i] ?? null)
      this.#operands.push(operands[i] ?? null)
    }
  }

  /** The seven array parameters, in the order of apply() and inspect(). */
  parameters(): ProgramParameters {
    return [
      this.#codes,
      this.#flags,
      this.#numbers,
      this.#numbers2,
      this.#fromKeys,
      this.#toKeys,
      this.#operands,
    ]
  }
}

/** The types of `Program.parameters()`. */
export const PROGRAM_TYPES = [
  'int2[]',
  'int4[]',
  'int8[]',
  'int8[]',
  'bytea[]',
  'bytea[]',
  'bytea[]',
] as const
