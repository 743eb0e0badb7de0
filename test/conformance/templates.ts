import { randomBytes } from 'node:crypto'
import type { Json } from '../support/gateway.ts'
import type { Context } from './context.ts'

const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

/** The templates that take an argument, `{{name:argument}}`, by name. README.md describes each. */
const FUNCTIONS: Readonly<Record<string, (context: Context, argument: string) => string>> = {
  k: (context, text) => base64(Buffer.from(context.prefix + text)),
  kx: (context, hex) => base64(Buffer.concat([Buffer.from(context.prefix), Buffer.from(hex, 'hex')])),
  end: (context, text) => base64(prefixEnd(Buffer.from(context.prefix + text))),
  h: (context, text) =>
    base64(Buffer.concat([Buffer.from('fffffffe', 'hex'), Buffer.from(context.prefix + text)])),
  b: (_, text) => base64(Buffer.from(text)),
  x: (_, hex) => base64(Buffer.from(hex, 'hex')),
  fill: (_, argument) => base64(Buffer.from(repetition(argument))),
  kfill: (context, argument) => base64(Buffer.from(context.prefix + repetition(argument))),
  knopad: (context, text) => base64(Buffer.from(context.prefix + text)).replace(/=+$/, ''),
  kurl: (context, text) => Buffer.from(context.prefix + text).toString('base64url'),
  hexid: (context, name) => BigInt(context.variables.get(name) ?? 0).toString(16),
  rep: (_, argument) => repetition(argument),
  id: (context, name) => chosenId(context, name),
}

/** `c*n`: the text c, n times. */
function repetition(argument: string): string {
  const [text, times] = argument.split('*')
  return (text ?? '').repeat(Number(times))
}

/** The end of the range of all keys that begin so: its last byte that can be, one higher. */
function prefixEnd(prefix: Buffer): Buffer {
  for (let last = prefix.length - 1; last >= 0; last--) {
    const byte = prefix[last] as number
    if (byte < 0xff) return Buffer.concat([prefix.subarray(0, last), Buffer.from([byte + 1])])
  }
  return Buffer.from([0])
}

/** A positive id that no other run has chosen, kept under this name. */
function chosenId(context: Context, name: string): string {
  const id =
    context.variables.get(name) ?? String(BigInt(`0x${randomBytes(5).toString('hex')}`) + (1n << 44n))
  context.variables.set(name, id)
  return id
}

function evaluate(context: Context, expression: string): string {
  if (expression === 'p') return context.prefix
  const revision = /^rev([+-]\d+)?$/.exec(expression)
  if (revision) return String(context.baseRevision + BigInt(revision[1] ?? 0))
  const variable = /^\$(\w+)([+-]\d+)?$/.exec(expression)
  if (variable) {
    const value = context.variables.get(variable[1] as string) ?? '0'
    return variable[2] ? String(BigInt(value) + BigInt(variable[2])) : value
  }
  const counter = /^i(?::(\d+))?$/.exec(expression)
  if (counter) return String(context.counter).padStart(Number(counter[1] ?? 0), '0')
  const colon = expression.indexOf(':')
  const template = FUNCTIONS[expression.slice(0, colon)]
  if (!template) throw new Error(`unknown template ${expression}`)
  const argument = expression
    .slice(colon + 1)
    .replace(/<(i(?::\d+)?|\$\w+(?:[+-]\d+)?)>/g, (_, inner: string) => evaluate(context, inner))
  return template(context, argument)
}

/** The text with every `{{…}}` replaced. */
export function expand(context: Context, text: string): string {
  return text.replace(/\{\{([^{}]+)\}\}/g, (_, expression: string) => evaluate(context, expression))
}

/** A value with templates as JSON text. `{"$raw": text}` stands unquoted, `{"$many": …}` becomes a list. */
export function expandJson(context: Context, value: Json): string {
  if (typeof value === 'string') return JSON.stringify(expand(context, value))
  if (Array.isArray(value)) return `[${value.map((element: Json) => expandJson(context, element)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const fields = value as Readonly<Record<string, Json>>
  if (typeof fields.$raw === 'string') return expand(context, fields.$raw)
  if ('$many' in fields) return expandMany(context, fields)
  const members = Object.entries(fields).map(
    ([name, inner]) => `${JSON.stringify(name)}:${expandJson(context, inner)}`,
  )
  return `{${members.join(',')}}`
}

function expandMany(context: Context, { from, to, each }: Readonly<Record<string, Json>>): string {
  const outer = context.counter
  const elements: string[] = []
  for (context.counter = Number(from); context.counter <= Number(to); context.counter++) {
    elements.push(expandJson(context, each ?? null))
  }
  context.counter = outer
  return `[${elements.join(',')}]`
}
