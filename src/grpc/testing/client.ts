import {
  create,
  type DescMethod,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import {
  type CallOptions,
  type ChannelCredentials,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js'

type Input<M extends DescMethod> = MessageInitShape<M['input']>
type Output<M extends DescMethod> = MessageShape<M['output']>

export interface AskOptions extends CallOptions {
  readonly metadata?: Readonly<Record<string, string>>
}

/** A gRPC client that calls methods by their descriptors. */
export class TestClient implements Disposable {
  readonly #client: Client

  constructor(
    address: string,
    security: ChannelCredentials = credentials.createInsecure(),
    options: ChannelOptions = {},
  ) {
    this.#client = new Client(address, security, { 'grpc.max_receive_message_length': -1, ...options })
  }

  /** One request, one answer. Fails with a ServiceError. */
  ask<M extends DescMethod>(method: M, request: Input<M>, options: AskOptions = {}): Promise<Output<M>> {
    return this.askBytes(method, Buffer.from(toBinary(method.input, create(method.input, request))), options)
  }

  /** The same with a request that may be none. */
  askBytes<M extends DescMethod>(method: M, request: Buffer, options: AskOptions = {}): Promise<Output<M>> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        pathOf(method),
        (bytes: Buffer) => bytes,
        read(method),
        request,
        metadataOf(options),
        options,
        (error, answer) => (error === null && answer !== undefined ? resolve(answer) : reject(error)),
      )
    })
  }

  /** A stream of requests and answers. */
  open<M extends DescMethod>(method: M, options: AskOptions = {}): ClientDuplexStream<Input<M>, Output<M>> {
    return this.#client.makeBidiStreamRequest(
      pathOf(method),
      (request: Input<M>) => Buffer.from(toBinary(method.input, create(method.input, request))),
      read(method),
      metadataOf(options),
      options,
    )
  }

  /** A call of any kind, with requests that may be none, and answers as `readAnswer` has them. */
  openBytes<M extends DescMethod, A>(
    method: M,
    readAnswer: (answer: Output<M>) => A,
    options: AskOptions = {},
  ): ClientDuplexStream<Buffer, A> {
    return this.#client.makeBidiStreamRequest(
      pathOf(method),
      (request: Buffer) => request,
      (bytes: Buffer) => readAnswer(read(method)(bytes)),
      metadataOf(options),
      options,
    )
  }

  /** One request, many answers. */
  follow<M extends DescMethod>(method: M, request: Input<M>): ClientReadableStream<Output<M>> {
    return this.#client.makeServerStreamRequest(
      pathOf(method),
      (message: Input<M>) => Buffer.from(toBinary(method.input, create(method.input, message))),
      read(method),
      request,
    )
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }
}

/** How a stream or a call ended that failed: gRPC's code and text. */
export function statusOf(error: unknown): [code: number, details: string] {
  const { code, details } = error as ServiceError
  return [code, details]
}

/** How a stream ends. */
export async function endOf(stream: AsyncIterable<unknown>): Promise<[number, string] | 'OK'> {
  try {
    for await (const _ of stream);
    return 'OK'
  } catch (error) {
    return statusOf(error)
  }
}

const pathOf = (method: DescMethod) => `/${method.parent.typeName}/${method.name}`

const read =
  <M extends DescMethod>(method: M) =>
  (bytes: Buffer): Output<M> =>
    fromBinary(method.output, bytes) as Output<M>

function metadataOf({ metadata = {} }: AskOptions): Metadata {
  const all = new Metadata()
  for (const [name, value] of Object.entries(metadata)) all.set(name, value)
  return all
}
