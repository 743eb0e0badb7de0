/** Services for the gateway's tests: as little of etcd as shows what the gateway itself does. */
import type { Environment } from '../../environment.ts'
import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'
import { createInstruments } from '../../observe/instruments.ts'
import type { Services } from '../../service/services.ts'
import { systemEnvironment } from '../../system-environment.ts'
import type { Context } from '../context.ts'

const header = { clusterId: 1n, memberId: 2n, revision: 1n, raftTerm: 2n }

/** A store that is always empty; an empty key is refused. Leases don't exist; a watch is created and stays silent. */
export function fakeServices(overrides: Partial<Services> = {}): Services {
  return {
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
