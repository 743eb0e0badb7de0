import type { Json, JsonObject } from '../support/gateway.ts'
import { asMultiset, canonical, canonicalText, shapeOf } from './canonical.ts'
import type { Context } from './context.ts'
import type { Step } from './scenario.ts'
import { parseBody, type RawAnswer, type StepStream } from './transport.ts'

/** What of a whole answer is recorded and compared. */
export function answerOf(context: Context, step: Step, raw: RawAnswer): Json {
  if (raw.kind === 'timeout') return { timeout: true }
  if (raw.kind === 'broken') return { neterr: raw.why }
  const head: Record<string, Json> = { status: raw.status, ctype: raw.headers['content-type'] ?? null }
  if (step.check_headers) head.headers = pickHeaders(raw.headers, step.check_headers)
  if (step.body_check === 'ignore') return head
  return { ...head, ...bodyOf(context, step, raw.body) }
}

function bodyOf(context: Context, step: Step, raw: Buffer): JsonObject {
  const shown = (value: Json) =>
    step.body_check === 'shape' ? shapeOf(value) : canonical(context, value, step.hint)
  const parsed = parseBody(raw)
  if ('json' in parsed) return { body: shown(withoutOldErrorField(parsed.json)) }
  if ('lines' in parsed) return { lines: parsed.lines.map(shown) }
  if (step.body_check === 'nonempty') return { text: parsed.text === '' ? '' : '<text>' }
  const sorted = step.body_check === 'sorted-lines' ? parsed.text.split('\n').sort().join('\n') : parsed.text
  return { text: canonicalText(context, sorted) }
}

/** Up to 3.5 etcd repeated an error's message in `error`; a server may keep that for older clients. */
function withoutOldErrorField(json: Json): Json {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return json
  const { error, ...rest } = json as JsonObject
  return 'code' in rest && error !== undefined && error === rest.message ? rest : json
}

function pickHeaders(headers: NodeJS.Dict<string | string[]>, names: readonly string[]): JsonObject {
  return Object.fromEntries(names.map((name) => [name.toLowerCase(), headers[name.toLowerCase()] ?? null]))
}

/** Keeps values of an answer under the names that the step gives them. */
function capture(context: Context, step: Step, json: Json): void {
  for (const [name, path] of Object.entries(step.capture ?? {})) {
    const found = path.split('.').reduce<unknown>((value, field) => {
      return typeof value === 'object' && value !== null
        ? (value as Record<string, unknown>)[field]
        : undefined
    }, json)
    if (found === undefined) context.problem = `could not capture ${name} from ${path}`
    const value = String(found ?? '0')
    const decoded = step.decode?.includes(name) ? Buffer.from(value, 'base64').toString('utf8') : value
    context.variables.set(name, decoded)
  }
}

export function captureFromAnswer(context: Context, step: Step, raw: RawAnswer): void {
  if (!step.capture || raw.kind !== 'answer') return
  const parsed = parseBody(raw.body)
  capture(context, step, 'json' in parsed ? parsed.json : {})
}

/** Reads the messages or the events that the step wants from a stream. */
export async function readStream(context: Context, step: Step, stream: StepStream): Promise<Json> {
  const patience = step.within ?? 6000
  const within = context.slowReads >= 2 ? Math.min(patience, 800) : patience
  const answer: Record<string, Json> = {}
  const taken = step.events
    ? await readEvents(context, step, stream, within, answer)
    : await readMessages(context, step, stream, within, answer)
  if (!step.nohead) {
    answer.status = stream.status ?? null
    answer.ctype = stream.headers['content-type'] ?? null
  }
  if (step.check_headers) answer.headers = pickHeaders(stream.headers, step.check_headers)
  if (step.expect_end) {
    await stream.until(() => stream.ended, step.end_within ?? 3000)
    answer.end = stream.ended ? 'closed' : 'open'
  }
  capture(context, step, { messages: taken })
  return answer
}

async function readMessages(
  context: Context,
  step: Step,
  stream: StepStream,
  within: number,
  answer: Record<string, Json>,
): Promise<Json[]> {
  const count = step.messages ?? 1
  const came = await stream.until(() => stream.messages.length >= count || stream.ended, within)
  if (!came) context.slowReads++
  const taken = stream.messages.splice(0, count)
  const messages = taken.map((message) =>
    step.body_check === 'shape' ? shapeOf(message) : canonical(context, message, step.hint),
  )
  answer.messages = step.anyorder ? asMultiset(messages) : messages
  return taken
}

/** Events however the server grouped them, and whether it grouped them as it must. */
async function readEvents(
  context: Context,
  step: Step,
  stream: StepStream,
  within: number,
  answer: Record<string, Json>,
): Promise<Json[]> {
  const count = () => stream.messages.reduce<number>((sum, message) => sum + eventsOf(message).length, 0)
  const came = await stream.until(() => count() >= (step.events ?? 0) || stream.ended, within)
  if (!came) context.slowReads++
  const taken = stream.messages.splice(0)
  const withEvents = taken.filter((message) => eventsOf(message).length > 0)
  const others = taken.filter((message) => eventsOf(message).length === 0)
  answer.events = taken.flatMap(eventsOf).map((event) => canonical(context, event, step.hint))
  answer.revision_split = withEvents.some((message, index) => {
    const earlier = new Set(withEvents.slice(0, index).flatMap(eventsOf).map(modRevision))
    return eventsOf(message).some((event) => earlier.has(modRevision(event)))
  })
  answer.header_covers = withEvents.every(headerCovers)
  if (others.length > 0) answer.other = others.map((message) => canonical(context, message, step.hint))
  return taken
}

interface WatchMessage {
  readonly result?: {
    readonly header?: { readonly revision?: string }
    readonly events?: readonly JsonObject[]
  }
}

const eventsOf = (message: Json): readonly JsonObject[] => (message as WatchMessage).result?.events ?? []
const modRevision = (event: JsonObject): string =>
  String((event.kv as { mod_revision?: string } | undefined)?.mod_revision ?? '')

/** Whether the header's revision is at or after the message's last event. */
function headerCovers(message: Json): boolean {
  const last = eventsOf(message).at(-1)
  const revision = (message as WatchMessage).result?.header?.revision
  return revision !== undefined && last !== undefined && BigInt(revision) >= BigInt(modRevision(last))
}
