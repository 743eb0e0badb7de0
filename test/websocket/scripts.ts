import { b64, type JsonObject } from '../support/gateway.ts'

/** What a client does next, and then how many answers it waits for: messages, those of events by their events. */
export interface Step {
  readonly send?: readonly (string | Uint8Array | JsonObject)[]
  /** Puts the key, by a request of its own. */
  readonly put?: string
  readonly answers: number
}

export interface Script {
  readonly name: string
  readonly path: '/v3/watch' | '/v3/lease/keepalive'
  readonly steps: readonly Step[]
  /** The server ends the connection after the last step; otherwise the client does. */
  readonly ends?: boolean
  readonly as?: 'nobody' | 'root' | 'a stranger'
}

const [A, B, K, ZERO] = ['a', 'b', 'k', '\0'].map(b64) as [string, string, string, string]
const create = (fields: JsonObject): JsonObject => ({ create_request: fields })
const cancel = (watch_id: number): JsonObject => ({ cancel_request: { watch_id } })
const bytes = (json: JsonObject): Uint8Array => Buffer.from(JSON.stringify(json))
const LARGE = 'A'.repeat(3 * 1024 * 1024)

/** Run one after the other on a store with changes from 2 to 7 that is compacted at 3, and a lease 77. */
export const SCRIPTS: readonly Script[] = [
  {
    name: 'watches of one connection, in a frame each, in one together, in bytes, in pieces',
    path: '/v3/watch',
    steps: [
      { send: [create({ key: A }), create({ key: B, watch_id: 7 })], answers: 2 },
      { send: [JSON.stringify(create({ key: A })) + JSON.stringify(create({ key: B }))], answers: 2 },
      { send: [bytes(create({ key: A }))], answers: 1 },
      { send: ['{"create_request":', `{"key"  :`, `"${A}"`, '}', '', '}'], answers: 1 },
      { put: 'a', answers: 4 },
      { put: 'b', answers: 2 },
    ],
  },
  {
    name: 'the past of several ranges, then the present',
    path: '/v3/watch',
    steps: [
      { send: [create({ key: K, start_revision: 4 })], answers: 1 + 2 },
      { send: [create({ key: ZERO, range_end: ZERO, start_revision: 3, prev_kv: true })], answers: 1 + 8 },
      { send: [create({ key: A, start_revision: 4, filters: ['NOPUT'] })], answers: 1 },
      { put: 'k', answers: 2 },
    ],
  },
  {
    name: 'cancel: of one, of none, again, and its id used again',
    path: '/v3/watch',
    steps: [
      { send: [create({ key: A }), create({ key: A }), create({ key: A })], answers: 3 },
      { send: [cancel(1)], answers: 1 },
      { send: [cancel(1), cancel(99)], answers: 0 },
      { put: 'a', answers: 2 },
      { send: [create({ key: A, watch_id: 1 })], answers: 1 },
      { put: 'a', answers: 3 },
    ],
  },
  {
    name: 'progress, asked for',
    path: '/v3/watch',
    steps: [
      { send: [create({ key: A }), create({ key: B })], answers: 2 },
      { send: [{ progress_request: {} }], answers: 1 },
      { put: 'k', answers: 0 },
      { put: 'a', answers: 1 },
      { send: [{ progress_request: {} }], answers: 1 },
    ],
  },
  {
    name: 'watches that are refused, beside one that is not',
    path: '/v3/watch',
    steps: [
      { send: [create({ key: A, watch_id: 5 }), create({ key: A, watch_id: 5 })], answers: 2 },
      { send: [create({ key: K, range_end: A })], answers: 1 },
      { send: [create({ key: K, start_revision: 1, watch_id: 6 })], answers: 2 },
      { put: 'a', answers: 1 },
    ],
  },
  {
    name: 'leases kept alive, of which some are none',
    path: '/v3/lease/keepalive',
    steps: [
      {
        send: [{ ID: '77' }, { ID: '78' }, { ID: 77 }, bytes({ ID: '1' }), '{"ID":"77"}{"ID":"78"}'],
        answers: 6,
      },
      { send: ['{"ID":', '"77"}', {}], answers: 2 },
    ],
  },
  {
    name: 'a message that is too large',
    path: '/v3/watch',
    steps: [
      { send: [create({ key: A })], answers: 1 },
      { send: [create({ key: LARGE })], answers: 1 },
    ],
    ends: true,
  },
  ...(['nobody', 'a stranger'] as const).flatMap((as): Script[] => [
    {
      name: 'watches without the right',
      path: '/v3/watch',
      steps: [{ send: [create({ key: A }), create({ key: A })], answers: 2 }],
      as,
    },
    {
      name: 'keep-alives without the right',
      path: '/v3/lease/keepalive',
      steps: [{ send: [{ ID: '77' }], answers: 1 }],
      ends: true,
      as,
    },
  ]),
  {
    name: 'watches with the right',
    path: '/v3/watch',
    steps: [
      { send: [create({ key: A })], answers: 1 },
      { put: 'a', answers: 1 },
    ],
    as: 'root',
  },
  {
    name: 'keep-alives with the right',
    path: '/v3/lease/keepalive',
    steps: [{ send: [{ ID: '77' }], answers: 1 }],
    as: 'root',
  },
]
