import { once } from 'node:events'
import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf'
import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js'
import { EtcdError } from '../etcd/errors.ts'
import type { RpcContext } from '../rpc/context.ts'
import type { StreamRpc } from '../rpc/rpcs.ts'
import { STREAM_ENDED, StreamCall } from '../rpc/stream-call.ts'
import type { OpenCalls } from './call.ts'
import { decode, encode } from './message.ts'
import { statusOf } from './status.ts'

type Message = MessageInitShape<DescMessage>
/** A call of a stream, as gRPC's library has it. */
export type Surface = ServerWritableStream<Buffer, Buffer> | ServerDuplexStream<Buffer, Buffer>

/** What answers a streaming RPC, with one request or with many. */
export function serveStream(
  rpc: StreamRpc,
  open: OpenCalls,
  context: RpcContext,
): (surface: Surface) => void {
  return (surface) => {
    const call = open.open(rpc, surface)
    const stream = new StreamCall<Message>(rpc, call, context)
    serve(rpc, surface, stream, context)
      .then(
        () => surface.end(),
        (thrown: unknown) => {
          const error = stream.fail(thrown)
          // A clean end would tell a client of etcd's that there is nothing more to come, ever.
          surface.emit('error', statusOf(error === STREAM_ENDED ? EtcdError.of('Stopped') : error))
        },
      )
      .finally(() => call.close())
  }
}

async function serve(
  rpc: StreamRpc,
  surface: Surface,
  stream: StreamCall<Message>,
  { services, messageBytesMax }: RpcContext,
): Promise<void> {
  await stream.open((call) => rpc.handler(services)(requestsOf(rpc, surface, messageBytesMax), call))
  for (let next = await stream.next(); next.done !== true; next = await stream.next()) {
    const sent = surface.write(encode(rpc.output, next.value))
    if (!sent) await stream.whileOpen(() => once(surface, 'drain'))
  }
  // A watch has no end of its own.
  if (rpc.outlivesRequests !== undefined) throw STREAM_ENDED
  stream.close('OK')
}

async function* requestsOf(
  { input }: StreamRpc,
  surface: Surface,
  bytesMax: number,
): AsyncGenerator<MessageShape<DescMessage>, void, undefined> {
  if ('request' in surface && surface.request !== undefined) {
    yield decode(input, surface.request, bytesMax)
    return
  }
  // Whoever reads no further is still to be told why.
  const requests = (surface as ServerDuplexStream<Buffer, Buffer>).iterator({ destroyOnReturn: false })
  for await (const request of requests) {
    yield decode(input, request as Buffer, bytesMax)
  }
}
