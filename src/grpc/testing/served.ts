import { createGateway } from '../../gateway/node.ts'
import { fakeContext, fakeServices, type SomeServices } from '../../gateway/testing/fake-services.ts'
import { type HttpServers, listen } from '../../server/http-server.ts'
import { createGrpcServer, type GrpcOptions } from '../server.ts'

/** The most bytes that a message may have for it. */
export const MESSAGE_BYTES_MAX = 1_000

/** A server of fake services, which stops when it is disposed of. */
export class ServedGrpc implements AsyncDisposable {
  readonly host: string
  readonly #servers: HttpServers

  private constructor(servers: HttpServers) {
    this.host = new URL(servers.urls[0] ?? '').host
    this.#servers = servers
  }

  static async start(overrides: SomeServices = {}, options: GrpcOptions = {}): Promise<ServedGrpc> {
    const context = fakeContext({ services: fakeServices(overrides), messageBytesMax: MESSAGE_BYTES_MAX })
    const grpc = createGrpcServer(context, options)
    return new ServedGrpc(await listen(['http://127.0.0.1:0'], createGateway(context), { grpc }))
  }

  stop(): Promise<void> {
    return this.#servers.stop()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
