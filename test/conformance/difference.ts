import type { Json, JsonObject } from '../support/gateway.ts'

/** Differences shown of one answer. */
const DIFFERENCES_MAX = 6

/**
 * The differences between etcd's answer and ours, one a line with its place: the same fields, the same types, lists in
 * the same order. `secondsMayDiffer`: a time to live may have moved on by one.
 */
export function differences(want: Json, got: Json, secondsMayDiffer: boolean): string[] {
  const found: string[] = []
  compare(want, got, '', found, secondsMayDiffer)
  return found.slice(0, DIFFERENCES_MAX)
}

function compare(want: Json, got: Json, place: string, found: string[], seconds: boolean): void {
  if (want === got) return
  if (Array.isArray(want) && Array.isArray(got)) compareLists(want, got, place, found, seconds)
  else if (isObject(want) && isObject(got)) compareObjects(want, got, place, found, seconds)
  else if (!(seconds && /(^|\.)TTL$/.test(place) && isOneApart(want, got))) {
    found.push(`${place}: want ${brief(want)} got ${brief(got)}`)
  }
}

function compareLists(
  want: readonly Json[],
  got: readonly Json[],
  place: string,
  found: string[],
  seconds: boolean,
): void {
  if (want.length !== got.length)
    found.push(`${place}: want ${want.length} entries got ${got.length}: ${brief(got)}`)
  for (let i = 0; i < Math.min(want.length, got.length); i++) {
    compare(want[i] as Json, got[i] as Json, `${place}[${i}]`, found, seconds)
  }
}

function compareObjects(
  want: JsonObject,
  got: JsonObject,
  place: string,
  found: string[],
  seconds: boolean,
): void {
  const inside = (field: string) => (place === '' ? field : `${place}.${field}`)
  for (const [field, value] of Object.entries(want)) {
    const other = got[field]
    if (other === undefined) found.push(`${inside(field)}: missing (want ${brief(value)})`)
    else compare(value, other, inside(field), found, seconds)
  }
  for (const field of Object.keys(got)) {
    if (!(field in want)) found.push(`${inside(field)}: unexpected ${brief(got[field] as Json)}`)
  }
}

const isObject = (value: Json): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isOneApart = (want: Json, got: Json): boolean =>
  /^\d+$/.test(String(want)) && /^\d+$/.test(String(got)) && Math.abs(Number(want) - Number(got)) <= 1

function brief(value: Json): string {
  const text = JSON.stringify(value)
  return text.length > 160 ? `${text.slice(0, 157)}...` : text
}
