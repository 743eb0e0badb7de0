/** Services for the gateway's tests: as little of etcd as shows what the gateway itself does. */
import type { Environment } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { createInstruments } from '../../observe/instruments.ts'
import type { Services } from '../../service/services.ts'
import { systemEnvironment } from '../../system-environment.ts'
import type { Context } from '../context.ts'

/** Services with as much of each as a test needs. */
export type SomeServices = {
  readonly [S in keyof Services]?: Services[S] extends (...words: never) => unknown
    ? Services[S]
    : Partial<Services[S]>
}

const header = { clusterId: 1n, memberId: 2n, revision: 1n, raftTerm: 2n }

/** A store that is always empty; an empty key is refused. Leases don't exist; a watch is created and stays silent. */
export function fakeServices(overrides: SomeServices = {}): Services {
  const some: Required<SomeServices> = {
    kv: {
      async range({ key }) {
        if (key.length === 0) throw EtcdError.of('EmptyKey')
        return { header }
      },
    },
    lease: {
      async *leaseKeepAlive(requests) {
        for await (const { ID } of requests) yield { header, ID }
      },
      async leaseLeases() {
        return { header }
      },
    },
    watch: {
      async *watch(requests, { signal }) {
        for await (const { requestUnion } of requests) {
          if (requestUnion.case === 'createRequest') yield { header, created: true }
        }
        await new Promise((resolve) => signal.addEventListener('abort', resolve))
      },
    },
    cluster: {},
    maintenance: {},
    auth: {},
    lock: {},
    election: {},
    longPoll: async () => ({ revision: 1n, events: [] }),
    health: async () => [],
    ...overrides,
  }
  return {
    kv: whole(some.kv),
    lease: whole(some.lease),
    watch: whole(some.watch),
    cluster: whole(some.cluster),
    maintenance: whole(some.maintenance),
    auth: whole(some.auth),
    lock: whole(some.lock),
    election: whole(some.election),
    longPoll: some.longPoll,
    health: some.health,
  }
}

/** The service, which fails when it is asked for what a test hasn't given it. */
function whole<S extends object>(some: Partial<S>): S {
  const get = (target: Partial<S>, name: string | symbol): unknown => {
    if (name in target) return Reflect.get(target, name)
    throw new Error(`the test gives no ${String(name)}`)
  }
  return new Proxy(some, { get }) as S
}

/** A context of fake services, silent and with the system's clock. */
export function fakeContext(overrides: Partial<Context> = {}): Context {
  const environment: Environment = systemEnvironment(() => {})
  return {
    services: fakeServices(),
    environment,
    instruments: createInstruments(),
    messageBytesMax: LIMITS.requestBytesMax + LIMITS.messageOverheadBytes,
    warningUnaryMs: 0,
    sampleStore: async () => {},
    origins: ['*'],
    hosts: ['*'],
    ...overrides,
  }
}
