import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { get, type RequestOptions } from 'node:https'
import { credentials } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readConfig } from '../config/config.ts'
import { KV } from '../etcd/generated/etcdserverpb/rpc_pb.ts'
import { createGateway } from '../gateway/node.ts'
import { fakeContext, fakeServices } from '../gateway/testing/fake-services.ts'
import { type HttpServers, listen } from '../server/http-server.ts'
import {
  type Authority,
  type CertificateFiles,
  makeAuthority,
  opensslMissing,
} from '../tls/testing/certificates.ts'
import { createGrpcServer } from './server.ts'
import { statusOf, TestClient } from './testing/client.ts'

const key = new Uint8Array([1])

describe.skipIf(opensslMissing)('gRPC with certificates', () => {
  let authority: Authority
  let servers: HttpServers
  let alice: CertificateFiles
  const names: (string | undefined)[] = []

  beforeAll(async () => {
    authority = makeAuthority()
    const { certFile, keyFile } = authority.issue('server', 'IP:127.0.0.1', 'DNS:localhost')
    alice = authority.issue('alice')
    const config = readConfig(
      {
        'listen-client-urls': 'https://127.0.0.1:0',
        'cert-file': certFile,
        'key-file': keyFile,
        'trusted-ca-file': authority.caFile,
        'client-cert-auth': 'true',
      },
      {},
    )
    if (config.tls === undefined) throw new Error('no https URL')
    const context = fakeContext({
      services: fakeServices({
        kv: {
          range: async (_request, { certificateName }) => {
            names.push(certificateName)
            return { header: {} }
          },
        },
      }),
    })
    const certificatesNameUsers = config.tls.clients?.nameUsers
    servers = await listen(config.listenClientUrls, createGateway(context), {
      grpc: createGrpcServer(context, { certificatesNameUsers }),
      tls: { settings: config.tls, dataDir: config.dataDir, hosts: ['127.0.0.1'], log: () => {} },
    })
  })
  afterAll(async () => {
    await servers.stop()
    authority[Symbol.dispose]()
  })

  const clientOf = (certificate?: CertificateFiles) => {
    const ca = readFileSync(authority.caFile)
    const security =
      certificate === undefined
        ? credentials.createSsl(ca)
        : credentials.createSsl(ca, readFileSync(certificate.keyFile), readFileSync(certificate.certFile))
    return new TestClient(new URL(servers.urls[0] ?? '').host, security)
  }

  it('a caller is whom the certificate names', async () => {
    using client = clientOf(alice)
    await client.ask(KV.method.range, { key })
    expect(names.splice(0)).toEqual(['alice'])
  })

  it('nobody comes in without one', async () => {
    using client = clientOf()
    const [code] = await client.ask(KV.method.range, { key }, { deadline: Date.now() + 2_000 }).then(
      () => [0],
      (error: unknown) => statusOf(error),
    )
    expect([4, 14]).toContain(code)
    expect(names.splice(0)).toEqual([])
  })

  it('HTTP/1 is served on the same port to those who speak it, and has no user by certificate', async () => {
    const options: RequestOptions & { ALPNProtocols: string[] } = {
      ca: readFileSync(authority.caFile),
      cert: readFileSync(alice.certFile),
      key: readFileSync(alice.keyFile),
      ALPNProtocols: ['h2', 'http/1.1'],
      agent: false,
    }
    const [response] = await once(get(`${servers.urls[0]}/version`, options), 'response')
    response.resume()
    expect([response.statusCode, response.httpVersion]).toEqual([200, '1.1'])
  })
})
