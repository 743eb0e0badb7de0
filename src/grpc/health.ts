import { once } from 'node:events'
import { isMessage, type MessageShape } from '@bufbuild/protobuf'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import {
  Health,
  HealthCheckRequestSchema,
  HealthCheckResponse_ServingStatus as ServingStatus,
} from '../etcd/generated/grpc/health/v1/health_pb.ts'
import type { StreamRpc, UnaryRpc } from '../rpc/rpcs.ts'

type Request = MessageShape<typeof HealthCheckRequestSchema>

/** Its name is empty: etcd tells of the server as a whole. */
const isKnown = ({ service }: Request) => service === ''

/**
 * gRPC's health service as etcd has it: a server that answers serves. (Whether the database does, `/readyz` says.)
 */
export const HEALTH_RPCS: readonly [UnaryRpc, StreamRpc] = [
  {
    kind: 'unary',
    service: Health.typeName,
    method: 'Check',
    input: Health.method.check.input,
    output: Health.method.check.output,
    stream: undefined,
    handler: () => async (request) => {
      if (!isMessage(request, HealthCheckRequestSchema) || !isKnown(request)) {
        throw new EtcdError(GrpcCode.NotFound, 'unknown service')
      }
      return { status: ServingStatus.SERVING }
    },
  },
  {
    kind: 'stream',
    service: Health.typeName,
    method: 'Watch',
    input: Health.method.watch.input,
    output: Health.method.watch.output,
    requests: 'one',
    outlivesRequests: () => true,
    isFinite: false,
    mediaType: '',
    handler: () =>
      async function* (requests, { signal }) {
        for await (const request of requests) {
          const known = isMessage(request, HealthCheckRequestSchema) && isKnown(request)
          yield { status: known ? ServingStatus.SERVING : ServingStatus.SERVICE_UNKNOWN }
        }
        if (!signal.aborted) await once(signal, 'abort')
      },
  },
]
