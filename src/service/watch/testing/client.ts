import { create, type MessageInitShape } from '@bufbuild/protobuf'
import {
  type WatchCreateRequestSchema,
  type WatchRequest,
  WatchRequestSchema,
} from '../../../etcd/generated/etcdserverpb/rpc_pb.ts'
import type { Call } from '../../call.ts'
import type { WatchAnswer } from '../answers.ts'
import { createWatch } from '../index.ts'
import { ManualClock, testEnvironment } from './environment.ts'
import { bytes, MemoryLog } from './memory-log.ts'

const IDENTITY = { clusterId: 7n, memberId: 8n, raftTerm: 2n }

export function openService({
  sharedTail = true,
  ...options
}: {
  sharedTail?: boolean
  streamMaxMs?: number
  fragmentBytesMax?: number
} = {}) {
  const log = new MemoryLog()
  const clock = new ManualClock()
  const environment = testEnvironment(clock)
  const service = createWatch({
    events: log,
    access: log.access,
    identity: () => Promise.resolve(IDENTITY),
    environment,
    sharedTail,
    pollIntervalMs: { min: 20, max: 100 },
    ...options,
  })
  return {
    log,
    clock,
    environment,
    service,
    open: (call: Omit<Call, 'signal'> = {}) => new Client(service, call),
  }
}

/** The client's side of one stream. It reads only when told to. */
export class Client {
  private readonly leaving = new AbortController()
  private readonly unread: WatchRequest[] = []
  private readonly answers: AsyncIterator<WatchAnswer>
  private more: (() => void) | undefined
  private finished = false
  private broken = false

  constructor(service: ReturnType<typeof createWatch>, about: Omit<Call, 'signal'> = {}) {
    const call = { ...about, signal: this.leaving.signal }
    this.answers = service.watch(this.requests(), call)[Symbol.asyncIterator]()
  }

  create(request: MessageInitShape<typeof WatchCreateRequestSchema> & { key: Uint8Array }): this {
    return this.send({ requestUnion: { case: 'createRequest', value: request } })
  }

  cancel(watchId: bigint): this {
    return this.send({ requestUnion: { case: 'cancelRequest', value: { watchId } } })
  }

  progress(): this {
    return this.send({ requestUnion: { case: 'progressRequest', value: {} } })
  }

  send(request: MessageInitShape<typeof WatchRequestSchema>): this {
    this.unread.push(create(WatchRequestSchema, request))
    this.more?.()
    return this
  }

  /** Ends the requests; broken: by an error, as a malformed body does. */
  finish({ broken = false } = {}): void {
    this.finished = true
    this.broken = broken
    this.more?.()
  }

  leave(): void {
    this.leaving.abort()
  }

  async read(): Promise<WatchAnswer> {
    const { done, value } = await this.answers.next()
    if (done === true) throw new Error('the stream ended')
    return value
  }

  /** Resolves when the stream ended, with everything that came before. */
  async rest(): Promise<WatchAnswer[]> {
    const all: WatchAnswer[] = []
    for (;;) {
      const { done, value } = await this.answers.next()
      if (done === true) return all
      all.push(value)
    }
  }

  private async *requests(): AsyncGenerator<WatchRequest> {
    for (;;) {
      const next = this.unread.shift()
      if (next !== undefined) yield next
      else if (this.broken) throw new Error('malformed')
      else if (this.finished) return
      else await new Promise<void>((resolve) => (this.more = resolve))
    }
  }
}

export const header = (revision: bigint) => ({ ...IDENTITY, revision })
export const short = ({ header: head, watchId, events }: WatchAnswer) => ({
  revision: head?.revision,
  watchId,
  events: (events ?? []).map(
    ({ kv, type }) => `${type === 1 ? '-' : '+'}${text(kv?.key)}@${kv?.modRevision}`,
  ),
})
export const text = (raw: Uint8Array | undefined) => new TextDecoder().decode(raw)
export const ALL = { key: bytes(''), rangeEnd: bytes('\0') }
