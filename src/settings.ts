/** The texts of settings, as flags, variables and bindings have them, and what they mean. */
import * as z from 'zod/mini'

const UNIT_MS = { h: 3_600_000, m: 60_000, s: 1000, ms: 1 } as const
const DURATION = /^(?:\d+(?:\.\d+)?(?:ms|[hms]))+$/

/** Reads a duration as Go writes it (`1h30m`, `500ms`, `0`) into milliseconds; undefined if it isn't one. */
export function readDurationMs(text: string): number | undefined {
  if (text === '0') return 0
  if (!DURATION.test(text)) return undefined
  let total = 0
  for (const [, amount, unit] of text.matchAll(/([\d.]+)(ms|[hms])/g)) {
    total += Number(amount) * UNIT_MS[unit as keyof typeof UNIT_MS]
  }
  return Math.round(total)
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
export const Interval = text('a duration of at least 10ms', (input) => {
  const ms = readDurationMs(input)
  return ms !== undefined && ms >= 10 ? ms : undefined
})

export const Count = text('a whole number above zero', (input) =>
  /^[1-9]\d{0,8}$/.test(input) ? Number(input) : undefined,
)

/** http URLs with a port, separated by commas. */
export const Urls = text('http://HOST:PORT, or several separated by commas', (input) => {
  const urls = input.split(',').map((url) => url.trim().replace(/\/$/, ''))
  return urls.every(isHttpUrl) ? urls : undefined
})

function isHttpUrl(url: string): boolean {
  return /^http:\/\/[^/?#@]+:\d{1,5}\/?$/.test(url) && URL.canParse(url)
}

export const SchemaName = text('a name of at most 63 bytes', (input) =>
  input !== '' && new TextEncoder().encode(input).length <= 63 ? input : undefined,
)

export const DatabaseUrl = text('postgres://USER:PASSWORD@HOST:PORT/DATABASE', (input) =>
  /^postgres(ql)?:\/\//.test(input) ? input : undefined,
)
