/** The texts of settings, as flags, variables and bindings have them, and what they mean. */
import * as z from 'zod/mini'
import { isListenUrl, readStoreAddresses } from './store-addresses.ts'

const UNIT_MS = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 1e-3, µs: 1e-3, ns: 1e-6 } as const
const DURATION = /^(?:\d+(?:\.\d+)?(?:[muµn]s|[hms]))+$/

/**
 * Reads a duration as Go writes it (`1h30m`, `500ms`, `0`) into whole milliseconds, at least one unless it is zero;
 * undefined if it isn't one.
 */
export function readDurationMs(text: string): number | undefined {
  if (text === '0') return 0
  if (!DURATION.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/([\d.]+)([muµn]s|[hms])/g)) {
    total += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS]
  }
  return total > 0 ? Math.max(1, Math.round(total)) : 0
}

/** A schema for a text that `read` understands; it gives undefined for what it refuses. */
function text<T>(what: string, read: (text: string) => T | undefined) {
  return z.pipe(
    z.string(),
    z.transform((input, context) => {
      const value = read(input)
      if (value === undefined) context.issues.push({ code: 'custom', message: what, input })
      return value as T
    }),
  )
}

export const Duration = text('a duration, such as 500ms, 30s or 1h30m', readDurationMs)

/** A duration of at least ten milliseconds: what is done at such intervals has a cost. */
export const Interval = text('a duration of at least 10ms, such as 500ms', (input) => {
  const ms = readDurationMs(input)
  return ms !== undefined && ms >= 10 ? ms : undefined
})

function wholeUpTo(max: number) {
  return text(`a whole number from 1 to ${max}`, (input) => {
    const number = Number(input)
    return /^[1-9]\d*$/.test(input) && number <= max ? number : undefined
  })
}

/** A whole number above zero that fits into 32 bits: seconds, years, bytes. */
export const Whole = wholeUpTo(2 ** 31 - 1)

/** The same without a sign. */
export const Streams = wholeUpTo(2 ** 32 - 1)

/** etcd's size of a quota: a number of bytes, negative for none, zero for the default. */
export const Bytes = text('a number of bytes; -1: no limit', (input) =>
  /^-?\d{1,18}$/.test(input) ? BigInt(input) : undefined,
)

const BOOLEANS = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((word) => [word, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((word) => [word, false] as const),
])

/** Reads a boolean as Go does; undefined if it isn't one. */
export function readBoolean(text: string): boolean | undefined {
  return BOOLEANS.get(text)
}

export const Flag = text('true or false', readBoolean)

/** Words separated by commas, each once. */
export const List = text('words separated by commas', (input) => [
  ...new Set(
    input
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== ''),
  ),
])

/** http and https URLs with a port, separated by commas, each once. */
export const Urls = text('http://HOST:PORT or https://HOST:PORT, or several separated by commas', (input) => {
  const urls = new Set(input.split(',').map((url) => url.trim().replace(/\/$/, '')))
  return [...urls].every(isListenUrl) ? [...urls] : undefined
})

/**
 * `*`, or origins as a browser says them, separated by commas. etcd takes none without a port, and so none on the ports
 * 80 and 443, which browsers leave out: here both spellings of such an origin mean it.
 */
export const Origins = text(
  '* or SCHEME://HOST[:PORT] without a path, or several separated by commas',
  (input) => {
    if (input === '*') return [input]
    const origins = input.split(',').map((origin) => origin.trim())
    if (!origins.every((origin) => /^https?:\/\/[^/?#@]+$/.test(origin) && URL.canParse(origin)))
      return undefined
    return [...new Set(origins.flatMap((origin) => [origin, new URL(origin).origin]))]
  },
)

/** Commas are between schemas, where a command takes several; and what is PostgreSQL's holds no store. */
export const SchemaName = text("one name of at most 63 bytes, and not one of PostgreSQL's own", (input) =>
  /^(?!pg_|information_schema$)[^,]+$/s.test(input) && new TextEncoder().encode(input).length <= 63
    ? input
    : undefined,
)

export const StoreAddresses = text(
  'NAME=http://HOST:PORT or NAME=//HOST, or several separated by commas, each address once',
  (input) => {
    const stores = readStoreAddresses(input)
    return stores?.every(({ schema }) => SchemaName.safeParse(schema).success) ? stores : undefined
  },
)

export const DatabaseUrl = text('postgres:// or yugabytedb://USER:PASSWORD@HOST:PORT/DATABASE', (input) =>
  /^(postgres(ql)?|yugabytedb):\/\//.test(input) ? input : undefined,
)
