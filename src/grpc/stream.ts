import type { DescMessage, MessageInitShape } from '@bufbuild/protobuf'
import { EtcdError } from '../etcd/errors.ts'
import type { RpcContext } from '../rpc/context.ts'
import { toEtcdError } from '../rpc/failure.ts'
import { isEndless, type StreamRpc } from '../rpc/rpcs.ts'
import { STREAM_ENDED, StreamCall } from '../rpc/stream-call.ts'
import type { GrpcCall } from './call.ts'
import { decode, encode } from './message.ts'
import { manyRequests, onlyRequest } from './requests.ts'

type Message = MessageInitShape<DescMessage>

/** Answers a call of a streaming RPC, with one request or with many. */
export async function serveStream(rpc: StreamRpc, call: GrpcCall, context: RpcContext): Promise<void> {
  const stream = new StreamCall<Message>(rpc, call, context)
  try {
    await serve(rpc, call, stream, context)
    call.reply.end()
  } catch (thrown) {
    const error = stream.fail(thrown)
    // A clean end would tell a client of etcd's that there is nothing more to come, ever.
    call.reply.end(error === STREAM_ENDED ? EtcdError.of('Stopped') : error)
  }
}

async function serve(
  rpc: StreamRpc,
  call: GrpcCall,
  stream: StreamCall<Message>,
  { services, environment }: RpcContext,
): Promise<void> {
  const read = (bytes: Buffer) => decode(rpc.input, bytes, 'failed to unmarshal the received message')
  const requests =
    rpc.requests === 'one'
      ? one(read(await onlyRequest(call.requests)))
      : telling(manyRequests(call.requests, read), (error) => stream.end(toEtcdError(error, environment.log)))
  await stream.open((asked) => rpc.handler(services)(requests, asked))
  for (let next = await stream.next(); next.done !== true; next = await stream.next()) {
    const sent = call.reply.send(encode(rpc.output, next.value))
    if (!sent) await stream.whileOpen(() => call.reply.drained())
  }
  if (isEndless(rpc)) throw STREAM_ENDED
  stream.close('OK')
}

async function* one<T>(request: T): AsyncGenerator<T, void, undefined> {
  yield request
}

/** A request that can't be read ends the call, whatever its service thinks of it. */
async function* telling<T>(
  requests: AsyncIterable<T>,
  failed: (error: unknown) => void,
): AsyncGenerator<T, void, undefined> {
  try {
    yield* requests
  } catch (error) {
    failed(error)
    throw error
  }
}
