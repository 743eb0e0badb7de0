import type { DescMessage, MessageInitShape, MessageShape } from '@bufbuild/protobuf'

/** What a transport tells a service about one request beside its message. */
export interface Call {
  /** Aborts when the client went away or the deadline passed. */
  readonly signal: AbortSignal
  /** The token, as the client sent it: which headers or metadata have it is the transport's matter. */
  readonly token?: string
  /** The common name of the client's certificate, where that says who somebody without a token is. */
  readonly certificateName?: string
  /** Whether a stream has to end when the store can't be read: its client goes elsewhere rather than wait. */
  readonly requiresLeader?: boolean
}

/** A unary RPC. Fails with an EtcdError. */
export type Unary<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  call: Call,
) => Promise<MessageInitShape<O>>

/**
 * A streaming RPC, in either or both directions. The answers are pulled: the next is asked for only when the
 * transport has sent the last, which is how a slow reader holds the service back. `requests` ends when the
 * client finishes its side. An EtcdError thrown ends the stream with that error.
 */
export type Streaming<I extends DescMessage, O extends DescMessage> = (
  requests: AsyncIterable<MessageShape<I>>,
  call: Call,
) => AsyncIterable<MessageInitShape<O>>
