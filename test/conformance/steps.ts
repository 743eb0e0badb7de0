import { setTimeout as sleep } from 'node:timers/promises'
import type { Json } from '../support/gateway.ts'
import { answerOf, captureFromAnswer, readStream } from './answers.ts'
import { asMultiset, canonical } from './canonical.ts'
import type { Context, Job } from './context.ts'
import type { Step } from './scenario.ts'
import { expand, expandJson } from './templates.ts'
import { call, parseBody, StepStream } from './transport.ts'

type Run = (context: Context, step: Step) => Promise<Json>

/** What each `op` does, by name. Steps without an answer of their own give null. */
const OPERATIONS: Readonly<Record<string, Run>> = {
  call: async (context, step) => {
    const raw = await call(context, step)
    captureFromAnswer(context, step, raw)
    return answerOf(context, step, raw)
  },
  repeat: async (context, step) => {
    const answers: Json[] = []
    for (let i = step.from ?? 0; i <= (step.to ?? 0); i++) {
      context.counter = i
      answers.push(await runStep(context, step.step as Step))
    }
    return step.keep === 'last' ? { last: answers.at(-1) ?? null } : { each: answers }
  },
  parallel: async (context, step) => {
    const answers = await Promise.all((step.steps ?? []).map((inner) => runStep(context, inner)))
    return step.ordered ? { all: answers } : { anyorder: asMultiset(answers) }
  },
  start: async (context, step) => {
    const job: Job = {
      answer: undefined,
      done: call(context, step).then((raw) => {
        job.answer = raw
      }),
    }
    context.jobs.set(step.as ?? '', job)
    await sleep(step.settle ?? 150)
    return null
  },
  pending: async (context, step) => {
    await sleep(step.ms ?? 300)
    return { pending: context.jobs.get(step.as ?? '')?.answer === undefined }
  },
  wait: async (context, step) => {
    const job = context.jobs.get(step.as ?? '')
    await Promise.race([job?.done, sleep(step.within ?? 8000)])
    if (!job?.answer) return { timeout: true }
    captureFromAnswer(context, step, job.answer)
    return answerOf(context, step, job.answer)
  },
  sleep: async (_, step) => sleep(step.ms ?? 0, null),
  set: async (context, step) => {
    for (const [name, value] of Object.entries(step.vars ?? {})) context.variables.set(name, value)
    return null
  },
  rebase: async (context) => {
    await rebase(context)
    return null
  },
  open: async (context, step) => {
    context.streams.set(step.stream ?? '', new StepStream(context, step))
    return sleep(step.settle ?? 0, null)
  },
  send: async (context, step) => {
    const more =
      step.text === undefined ? `${expandJson(context, step.body ?? null)}\n` : expand(context, step.text)
    streamOf(context, step)?.request.write(more)
    return sleep(step.settle ?? 100, null)
  },
  finish: async (context, step) => {
    streamOf(context, step)?.request.end()
    return sleep(step.settle ?? 100, null)
  },
  read: async (context, step) => {
    const stream = streamOf(context, step)
    return stream ? readStream(context, step, stream) : { nostream: true }
  },
  quiet: async (context, step) => {
    const stream = streamOf(context, step)
    if (!stream) return { nostream: true }
    await sleep(step.ms ?? 400)
    const extra = stream.messages.splice(0).map((message) => canonical(context, message, step.hint))
    return { headers: stream.status !== undefined, extra, closed: stream.ended }
  },
  close: async (context, step) => {
    streamOf(context, step)?.close()
    context.streams.delete(step.stream ?? '')
    return sleep(step.settle ?? 60, null)
  },
}

const streamOf = (context: Context, step: Step): StepStream | undefined =>
  context.streams.get(step.stream ?? '')

/** Does a step and gives its answer in the form that is recorded. */
export function runStep(context: Context, step: Step): Promise<Json> {
  const operation = OPERATIONS[step.op ?? 'call']
  if (!operation) throw new Error(`unknown op ${step.op}`)
  return operation(context, step)
}

/** Reads the store's revision, which the others are compared with. */
export async function rebase(context: Context): Promise<void> {
  const token = context.variables.get('roottoken')
  const step: Step = {
    path: '/v3/kv/range',
    body: { key: Buffer.from(context.prefix).toString('base64'), count_only: true },
    ...(token === undefined ? {} : { headers: { Authorization: token } }),
  }
  const raw = await call(context, step)
  const parsed = raw.kind === 'answer' ? parseBody(raw.body) : { text: raw.kind }
  const header =
    'json' in parsed ? (parsed.json as { header?: { revision?: string } } | null)?.header : undefined
  if (header?.revision === undefined) context.problem = `no base revision: ${JSON.stringify(parsed)}`
  context.baseRevision = BigInt(header?.revision ?? 0)
}
