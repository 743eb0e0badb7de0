import { createHash } from 'node:crypto'
import type { Json, JsonObject } from '../support/gateway.ts'
import type { Context } from './context.ts'
import type { Hint } from './scenario.ts'

/** Fields by what their value is, so that it can be shown without what differs from run to run. */
const BYTES = new Set(['key', 'value', 'range_end', 'blob', 'keys'])
const REVISIONS = new Set([
  'revision',
  'create_revision',
  'mod_revision',
  'compact_revision',
  'hash_revision',
  'rev',
])
const NUMBERS = new Set(
  [
    'cluster_id',
    'member_id',
    'raft_term',
    'raftIndex',
    'raftTerm',
    'raftAppliedIndex',
    'leader',
    'memberID',
  ].concat(['dbSize', 'dbSizeInUse', 'authRevision', 'remaining_bytes']),
)
const IDS = new Set(['ID', 'lease'])
const VERSIONS = new Set(['version', 'etcdserver', 'etcdcluster', 'storage', 'storageVersion'])

/** Longer bytes are shown by their digest. */
const SHOWN_BYTES_MAX = 300

/** Where in an answer a value stands. */
interface Place {
  readonly field?: string
  readonly parent?: string | undefined
}

/** An answer's JSON in the form in which it is recorded and compared. */
export function canonical(context: Context, value: Json, hint: Hint = {}, place: Place = {}): Json {
  const field = place.field ?? ''
  if (hint.mask?.includes(field)) return '<any>'
  if (Array.isArray(value)) return canonicalList(context, value, hint, place)
  if (typeof value === 'object' && value !== null)
    return canonicalObject(context, value as JsonObject, hint, place)
  if (typeof value === 'number')
    return field === 'hash' ? (variableNamed(context, String(value)) ?? '<uint32>') : value
  if (typeof value !== 'string') return value
  return canonicalString(context, value, field, place.parent)
}

function canonicalList(context: Context, list: readonly Json[], hint: Hint, place: Place): Json {
  const field = place.field ?? ''
  let elements = list.map((element) => canonical(context, element, hint, place))
  if (hint.subset?.includes(field)) elements = elements.filter(isOurs)
  if (hint.sort?.includes(field)) elements.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
  return elements
}

/** Whether a canonical value mentions this scenario's prefix or variables. */
const isOurs = (value: Json): boolean => /\{p\}|"?\$\w+/.test(JSON.stringify(value))

function canonicalObject(context: Context, object: JsonObject, hint: Hint, place: Place): Json {
  const fields = Object.entries(object).map(([name, inner]): [string, Json] => [
    name,
    canonical(context, inner, hint, { field: name, parent: place.field }),
  ])
  const emptied = ([name, inner]: [string, Json]) =>
    hint.subset?.includes(name) && Array.isArray(inner) && inner.length === 0
  return Object.fromEntries(fields.filter((entry) => !emptied(entry)))
}

function canonicalString(context: Context, value: string, field: string, parent: string | undefined): Json {
  if (BYTES.has(field) || (field === 'name' && parent === 'leader')) return canonicalBytes(context, value)
  if (/^-?\d+$/.test(value)) {
    if (value !== '0' && /^-?0/.test(value)) return `!bad-int:${value}`
    if (IDS.has(field)) return canonicalId(context, value, parent)
    if (REVISIONS.has(field)) return relativeRevision(context, BigInt(value))
  }
  if (NUMBERS.has(field)) return /^\d+$/.test(value) ? '<uint>' : `!not-uint:${value}`
  if (field === 'token') return value.length > 5 ? '<token>' : value
  if (parent === 'members' && field === 'name') return '<name>'
  if (field === 'peerURLs' || field === 'clientURLs')
    return context.variables.has('keepurls') ? value : '<url>'
  if (VERSIONS.has(field) && /^\d+\.\d+/.test(value)) return '<semver>'
  return canonicalText(context, value)
}

function canonicalId(context: Context, value: string, parent: string | undefined): string {
  if (parent === 'members' || parent === 'member') return '<id>'
  const name = variableNamed(context, value)
  if (name) return name
  const opposite = variableNamed(context, value.replace(/^-/, ''))
  if (opposite && value.startsWith('-')) return `-${opposite}`
  return value.length >= 10 && !value.startsWith('-') ? '<id>' : value
}

function variableNamed(context: Context, value: string): string | undefined {
  for (const [name, known] of context.variables) if (known === value) return `$${name}`
  return undefined
}

function relativeRevision(context: Context, revision: bigint): string {
  if (revision <= 0n) return String(revision)
  const distance = revision - context.baseRevision
  return `R${distance < 0n ? '' : '+'}${distance}`
}

/** Bytes decoded, with the prefix and lease ids named and what can't be printed as \xNN. */
function canonicalBytes(context: Context, value: string): string {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(value) || value.length % 4 !== 0) return `!not-base64:${value}`
  const bytes = Buffer.from(value, 'base64')
  if (bytes.toString('base64') !== value) return `!not-canonical-base64:${value}`
  // The marks stand for `{p}`, `{hex ` and `}` until the other bytes are written out.
  let shown = bytes.toString('latin1').split(context.prefix).join('\u0001')
  for (const [name, known] of context.variables) {
    if (/^\d{12,}$/.test(known)) shown = shown.split(BigInt(known).toString(16)).join(`\u0002${name}\u0003`)
  }
  if (bytes.length > SHOWN_BYTES_MAX) {
    const digest = createHash('sha256').update(shown, 'latin1').digest('hex').slice(0, 16)
    return `<${bytes.length} bytes sha ${digest}>`
  }
  return [...shown].map(printable).join('')
}

function printable(character: string): string {
  if (character === '\u0001') return '{p}'
  if (character === '\u0002') return '{hex '
  if (character === '\u0003') return '}'
  if (character === '\\') return '\\\\'
  const code = character.charCodeAt(0)
  return code < 0x20 || code > 0x7e ? `\\x${code.toString(16).padStart(2, '0')}` : character
}

/** Text with the prefix named and no-break spaces as spaces: etcd's builds differ in them. */
export function canonicalText(context: Context, text: string): string {
  return text.split(context.prefix).join('{p}').replaceAll('\u00a0', ' ')
}

/** Only the types of a value: objects with sorted fields, lists by their first element. */
export function shapeOf(value: Json): Json {
  if (Array.isArray(value)) return value.slice(0, 1).map(shapeOf)
  if (typeof value !== 'object' || value === null) return typeof value
  const fields = Object.entries(value as JsonObject).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(fields.map(([name, inner]) => [name, shapeOf(inner)]))
}

/** The same value with the fields of all objects in order, so that equal values have equal texts. */
function withSortedFields(value: Json): Json {
  if (Array.isArray(value)) return value.map(withSortedFields)
  if (typeof value !== 'object' || value === null) return value
  const fields = Object.entries(value as JsonObject).sort(([a], [b]) => (a < b ? -1 : 1))
  return Object.fromEntries(fields.map(([name, inner]) => [name, withSortedFields(inner)]))
}

/** A list as a multiset: sorted by the text of its elements. */
export function asMultiset(list: readonly Json[]): Json[] {
  return list
    .map((element) => JSON.stringify(withSortedFields(element)))
    .sort()
    .map((element) => JSON.parse(element) as Json)
}
