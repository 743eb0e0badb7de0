import type { CustomTypesConfig } from 'pg'

function parseBytes(hex: string): Uint8Array {
  // A role or database may have `bytea_output = escape`: no answer is better than a wrong one.
  if (!hex.startsWith('\\x')) throw new TypeError("bytea_output must be 'hex' for edgetcd's role")
  return Buffer.from(hex.slice(2), 'hex')
}

/** How a column of each type becomes what `SqlRow` promises; `pg` calls it once a column. */
const PARSERS: Readonly<Record<number, (text: string) => unknown>> = {
  16: (text) => text === 't',
  17: parseBytes,
  20: BigInt,
  21: Number,
  23: Number,
}

const asText = (text: string): unknown => text

/** The type parsers of every connection: bigint for int8, bytes for bytea, text for all we don't name. */
export const TYPES: CustomTypesConfig = {
  getTypeParser: ((oid: number) => PARSERS[oid] ?? asText) as CustomTypesConfig['getTypeParser'],
}
