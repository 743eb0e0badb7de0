/**
 * The streaming RPCs over WebSocket, on the paths of their POSTs: the request's body comes in frames, text or binary,
 * and each message of the answer goes out as one text frame, the line of the POST's answer without its line break.
 *
 * The frames are etcd's. What else happens is not, where etcd leaves a client waiting for ever:
 * - etcd never says why a connection ends, it cuts it (1006). Here an error is the last frame, as a line of the POST's
 *   answer would have it, and then the code of the end is 4000 plus the gRPC code. An end without an error is 1000, the
 *   server's stop 1001, a frame above the limit 1009.
 * - After a malformed request etcd reads nothing more and doesn't tell; it then doesn't notice its client's end either.
 *   Here it ends the connection, with all its watches.
 * - etcd skips a request of a watch that asks for nothing (`{}`, or nothing but fields that it doesn't know). Here one
 *   that comes before anything was asked for counts as malformed: it is a create_request gone wrong, and its client would
 *   wait for ever. Later ones are skipped, for a client may send them to show that it is there.
 * - An RPC with one request (observe) gets that from the first frames; what follows is thrown away. In etcd it waits
 *   for an end of the body, which never comes.
 * - Grpc-Timeout and the other headers of a POST hold, where a client can send them; etcd forgets them.
 */
import { type DescMessage, isMessage, type MessageInitShape, type MessageShape } from '@bufbuild/protobuf'
import { EtcdError, GrpcCode } from '../../etcd/errors.ts'
import { WatchRequestSchema } from '../../etcd/generated/etcdserverpb/rpc_pb.ts'
import { toEtcdError } from '../../rpc/failure.ts'
import type { RpcRequest } from '../../rpc/request.ts'
import type { StreamRpc } from '../../rpc/rpcs.ts'
import { STREAM_ENDED, StreamCall } from '../../rpc/stream-call.ts'
import { readBytesForm } from '../bytes-form.ts'
import type { Context } from '../context.ts'
import { streamErrorLine } from '../errors.ts'
import { type BytesForm, encodeJson } from '../json/index.ts'
import { jsonValues } from '../json-values.ts'
import { decodeMessage } from '../message.ts'
import type { FrameQueue } from './frame-queue.ts'
import { readWebSocketToken } from './handshake.ts'

/** The codes with which connections end. */
export const CLOSE = { normal: 1000, goingAway: 1001, frameTooLarge: 1009, failed: 4000 } as const

/** A connection, whichever server has it. */
export interface Connection {
  readonly frames: FrameQueue
  /** Sends a frame of text. Resolves when the client may be sent more, or is gone; never rejects. */
  send(text: string): Promise<void>
  /** Ends the connection after what was sent. May be called when it has ended. */
  close(code: number): void
}

type Message = MessageInitShape<DescMessage>

const NO_REQUEST = new EtcdError(
  GrpcCode.InvalidArgument,
  'the request has no create_request, cancel_request or progress_request',
)

/**
 * Serves one RPC on a connection from its first frame to its end, and resolves then. `request` is its handshake, whose
 * signal aborts when the client is gone. A client that is slow to read holds the service back, as far as the
 * connection can tell. Never fails.
 */
export async function serveSession(
  rpc: StreamRpc,
  request: RpcRequest,
  connection: Connection,
  context: Context,
): Promise<void> {
  const call = new StreamCall<Message>(rpc, request, context)
  let form: BytesForm = 'base64'
  try {
    await call.open((opened) => {
      form = readBytesForm(request)
      return rpc.handler(context.services)(requestsIn(connection.frames, rpc, form, call, context), opened)
    }, readWebSocketToken(request))
    for (let next = await call.next(); next.done !== true; next = await call.next()) {
      const frame = `{"result":${encodeJson(rpc.output, next.value, form)}}`
      await call.whileOpen(() => connection.send(frame))
    }
    call.close('OK')
    connection.close(CLOSE.normal)
  } catch (thrown) {
    const error = call.fail(thrown)
    if (error !== STREAM_ENDED) void connection.send(streamErrorLine(error).trimEnd())
    connection.close(error === STREAM_ENDED ? CLOSE.goingAway : CLOSE.failed + error.code)
  } finally {
    connection.frames.end()
  }
}

async function* requestsIn(
  frames: FrameQueue,
  { input, requests }: StreamRpc,
  form: BytesForm,
  call: StreamCall<Message>,
  { environment, messageBytesMax }: Context,
): AsyncGenerator<MessageShape<DescMessage>, void, undefined> {
  let asked = false
  try {
    for await (const value of jsonValues(frames)) {
      const request = decodeMessage(input, value, messageBytesMax, form)
      asked ||= asksForSomething(request)
      if (!asked) throw NO_REQUEST
      yield request
      if (requests === 'one') return
    }
  } catch (thrown) {
    call.end(toEtcdError(thrown, environment.log))
  }
}

/** A watch has a request for each thing that can be asked for; the other RPCs have one thing. */
function asksForSomething(request: MessageShape<DescMessage>): boolean {
  return !isMessage(request, WatchRequestSchema) || request.requestUnion.case !== undefined
}
