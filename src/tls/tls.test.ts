import { createPrivateKey, X509Certificate } from 'node:crypto'
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { Agent, get } from 'node:https'
import { connect as connectTcp } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { readConfig } from '../config/config.ts'
import { createGateway } from '../gateway/node.ts'
import { fakeContext } from '../gateway/testing/fake-services.ts'
import { listen } from '../server/http-server.ts'
import { keptSelfSigned, makeSelfSigned } from './self-signed.ts'
import {
  type Authority,
  type CertificateFiles,
  makeAuthority,
  opensslMissing,
} from './testing/certificates.ts'

/** A whole gateway on a port of its own, set up by etcd's flags. */
async function serve(flags: Record<string, string>, urls = 'https://127.0.0.1:0') {
  const lines: string[] = []
  const config = readConfig({ 'listen-client-urls': urls, ...flags }, {})
  if (config.tls === undefined) throw new Error('no https URL')
  const tls = {
    settings: config.tls,
    dataDir: config.dataDir,
    hosts: ['127.0.0.1', 'localhost'],
    log: (_level: string, message: string) => void lines.push(message),
  }
  const servers = await listen(config.listenClientUrls, createGateway(fakeContext()), { tls })
  return { ...servers, url: servers.urls[0] ?? '', lines, [Symbol.asyncDispose]: () => servers.stop() }
}

/** A handshake, and then a request on the same connection; fails as the first of them does that fails. */
async function ask(url: string, options: ConnectionOptions): Promise<{ status: string; socket: TLSSocket }> {
  const { hostname, port } = new URL(url)
  const socket = connect({ host: hostname, port: Number(port), ...options })
  return await new Promise((resolve, reject) => {
    let answer = ''
    socket.once('secureConnect', () => socket.write('GET /version HTTP/1.1\r\nHost: a\r\n\r\n'))
    socket.on('data', (data) => {
      answer += data.toString()
      if (answer.includes('\r\n')) resolve({ status: answer.slice(0, answer.indexOf('\r\n')), socket })
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error(`closed after "${answer}"`)))
  })
}

const read = ({ certFile, keyFile }: CertificateFiles) => ({
  cert: readFileSync(certFile),
  key: readFileSync(keyFile),
})

describe.skipIf(opensslMissing)('https', () => {
  let authority: Authority
  let certificate: CertificateFiles
  let ca: Buffer
  beforeAll(() => {
    authority = makeAuthority()
    certificate = authority.issue('server', 'DNS:localhost', 'IP:127.0.0.1')
    ca = readFileSync(authority.caFile)
  })
  afterAll(() => authority[Symbol.dispose]())

  const flagsOf = ({ certFile, keyFile }: CertificateFiles) => ({
    'cert-file': certFile,
    'key-file': keyFile,
  })

  it('is served beside http', async () => {
    await using server = await serve(flagsOf(certificate), 'https://127.0.0.1:0,http://127.0.0.1:0')
    const { status, socket } = await ask(server.url, { ca })
    expect(status).toBe('HTTP/1.1 200 OK')
    expect(socket.getProtocol()).toBe('TLSv1.3')
    socket.destroy()
    expect((await fetch(`${server.urls[1]}/version`)).status).toBe(200)
  })

  it('has the certificate of the files at each handshake, and the last good one while theirs is broken', async () => {
    const files = {
      certFile: join(authority.directory, 'live.crt'),
      keyFile: join(authority.directory, 'live.key'),
    }
    const install = ({ certFile, keyFile }: CertificateFiles) => {
      copyFileSync(keyFile, files.keyFile)
      copyFileSync(certFile, files.certFile)
    }
    const serialOf = async () => {
      const { socket } = await ask(server.url, { ca })
      const { serialNumber } = socket.getPeerCertificate()
      socket.destroy()
      return serialNumber
    }
    const serialIn = ({ certFile }: CertificateFiles) =>
      new X509Certificate(readFileSync(certFile)).serialNumber
    install(certificate)
    await using server = await serve(flagsOf(files))
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca })
    const request = () =>
      new Promise<string | undefined>((resolve, reject) => {
        get(`${server.url}/version`, { agent }, (answer) => {
          const { serialNumber } = (answer.socket as TLSSocket).getPeerCertificate()
          answer.resume().once('end', () => resolve(serialNumber))
        }).once('error', reject)
      })
    expect(await request()).toBe(serialIn(certificate))

    const renewed = authority.issue('renewed', 'IP:127.0.0.1')
    install(renewed)
    expect(await serialOf()).toBe(serialIn(renewed))
    expect(await request(), 'a connection lives on').toBe(serialIn(certificate))
    agent.destroy()

    writeFileSync(files.certFile, 'half a certif')
    expect(await serialOf()).toBe(serialIn(renewed))
    rmSync(files.certFile)
    symlinkSync(files.certFile, files.certFile)
    expect(await serialOf(), 'a file that can’t even be looked at').toBe(serialIn(renewed))
    rmSync(files.certFile)
    install(certificate)
    expect(await serialOf()).toBe(serialIn(certificate))
    expect(server.lines.filter((line) => /certificates/.test(line))).toEqual([
      'certificates have been read again',
      'new certificates can’t be used; the last ones stay',
      'new certificates can’t be used; the last ones stay',
      'certificates have been read again',
    ])
  })

  it('speaks the versions and suites that it is told to', async () => {
    await using newest = await serve({ ...flagsOf(certificate), 'tls-min-version': 'TLS1.3' })
    await expect(ask(newest.url, { ca, maxVersion: 'TLSv1.2' })).rejects.toThrow('alert protocol version')
    const suites = { 'tls-max-version': 'TLS1.2', 'cipher-suites': 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384' }
    await using one = await serve({ ...flagsOf(certificate), ...suites })
    const { socket } = await ask(one.url, { ca })
    expect(socket.getCipher().name).toBe('ECDHE-ECDSA-AES256-GCM-SHA384')
    socket.destroy()
    await expect(ask(one.url, { ca, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' })).rejects.toThrow(
      'handshake failure',
    )
  })

  it('doesn’t start with files that it can’t use, and says which and why', async () => {
    const { directory } = authority
    const { certFile, keyFile } = certificate
    const garbage = join(directory, 'garbage')
    writeFileSync(garbage, 'nothing')
    const locked = join(directory, 'locked')
    writeFileSync(
      locked,
      createPrivateKey(readFileSync(keyFile)).export({
        ...{ format: 'pem', type: 'pkcs8', cipher: 'aes-256-cbc', passphrase: 'open' },
      }),
    )
    const other = authority.issue('other').keyFile
    const clients = { 'client-cert-auth': 'true', 'trusted-ca-file': authority.caFile }
    for (const [flags, message] of [
      [{ 'key-file': other }, `--key-file ${other} doesn't belong to --cert-file ${certFile}`],
      [{ 'key-file': certFile }, `--key-file ${certFile} holds no private key in PEM`],
      [{ 'key-file': locked }, `--key-file ${locked} holds no private key in PEM without a password`],
      [{ 'key-file': '/nowhere' }, '--key-file /nowhere: no such file or directory'],
      [{ 'cert-file': directory }, `--cert-file ${directory}: it is a directory`],
      [{ 'cert-file': garbage }, `--cert-file ${garbage} holds no certificate in PEM`],
      [
        { ...clients, 'trusted-ca-file': garbage },
        `--trusted-ca-file ${garbage} holds no certificates in PEM`,
      ],
      [{ ...clients, 'client-crl-file': garbage }, `--client-crl-file ${garbage} holds no revocation list`],
    ] as const) {
      await expect(serve({ ...flagsOf(certificate), ...flags })).rejects.toThrow(new Error(message))
    }
  })

  it('stops although a client never ends its handshake', async () => {
    const server = await serve(flagsOf(certificate))
    const silent = connectTcp(Number(new URL(server.url).port), '127.0.0.1')
    const closed = new Promise((resolve) => silent.once('close', resolve))
    await new Promise((resolve) => silent.once('connect', resolve))
    const { socket } = await ask(server.url, { ca })
    socket.destroy()
    await server.stop()
    await closed
  }, 20_000)

  describe('with client certificates', () => {
    const required = () => ({
      ...flagsOf(certificate),
      'client-cert-auth': 'true',
      'trusted-ca-file': authority.caFile,
    })

    it('lets nobody in without one of the authority’s', async () => {
      await using server = await serve(required())
      const client = authority.issue('client')
      const { status, socket } = await ask(server.url, { ca, ...read(client) })
      expect(status).toBe('HTTP/1.1 200 OK')
      socket.destroy()
      await expect(ask(server.url, { ca })).rejects.toThrow('certificate required')
      await expect(ask(server.url, { ca, maxVersion: 'TLSv1.2' })).rejects.toThrow()
      using stranger = makeAuthority()
      await expect(ask(server.url, { ca, ...read(stranger.issue('client')) })).rejects.toThrow(
        'closed after ""',
      )
    })

    it('lets only those in that are for an allowed hostname', async () => {
      const allowed = { 'client-cert-allowed-hostname': 'api.example.com,10.0.0.7' }
      await using server = await serve({ ...required(), ...allowed })
      const admit = async (...names: string[]) => {
        const { status, socket } = await ask(server.url, { ca, ...read(authority.issue('named', ...names)) })
        socket.destroy()
        return status
      }
      expect(await admit('DNS:api.example.com')).toBe('HTTP/1.1 200 OK')
      expect(await admit('DNS:*.example.com')).toBe('HTTP/1.1 200 OK')
      expect(await admit('IP:10.0.0.7')).toBe('HTTP/1.1 200 OK')
      for (const names of [['DNS:example.com'], ['DNS:api.example.com.org', 'IP:10.0.0.8'], []]) {
        await expect(admit(...names), names.join()).rejects.toThrow()
      }
    })

    it('lets none in that is revoked, not by a session from before either', async () => {
      const crl = authority.revoke(authority.issue('long-gone'))
      await using server = await serve({ ...required(), 'client-crl-file': crl })
      const client = authority.issue('revocable')
      const { socket } = await ask(server.url, { ca, ...read(client) })
      const session = socket.getSession()
      socket.destroy()
      authority.revoke(client)
      await expect(ask(server.url, { ca, ...read(client) })).rejects.toThrow('closed after ""')
      await expect(ask(server.url, { ca, ...read(client), ...(session && { session }) })).rejects.toThrow(
        'closed after ""',
      )
    })
  })
})

describe('a certificate of the server’s own making', () => {
  const HOSTS = ['127.0.0.1', '::1', '2001:db8::5:1', 'localhost']

  it('is for its hosts', () => {
    const { cert } = makeSelfSigned(HOSTS, 2, new Date('2027-03-04T05:06:07Z'))
    const made = new X509Certificate(cert)
    expect(made.verify(made.publicKey)).toBe(true)
    expect(made.ca).toBe(true)
    expect(made.subjectAltName).toBe(
      'IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, IP Address:2001:DB8:0:0:0:0:5:1, DNS:localhost',
    )
    expect([made.validFrom, made.validTo]).toEqual(['Mar  4 05:06:07 2027 GMT', 'Mar  3 05:06:07 2029 GMT'])
    expect(new X509Certificate(makeSelfSigned(HOSTS, 50, new Date()).cert).validTo).toContain('20')
  })

  it('is kept, for nobody else to read, until it has ended', () => {
    const directory = join(mkdtempSync(join(tmpdir(), 'edgetcd-tls-')), 'tls')
    const first = keptSelfSigned(directory, HOSTS, 1)
    expect(keptSelfSigned(directory, HOSTS, 1)).toEqual(first)
    expect(statSync(join(directory, 'key.pem')).mode & 0o777).toBe(0o600)
    const old = makeSelfSigned(HOSTS, 1, new Date('2020-01-01'))
    writeFileSync(join(directory, 'cert.pem'), old.cert)
    expect(keptSelfSigned(directory, HOSTS, 1).cert).not.toBe(old.cert)
    rmSync(join(directory, '..'), { recursive: true })
  })

  test('a client that trusts it is served', async () => {
    const dataDir = mkdtempSync(join(tmpdir(), 'edgetcd-tls-'))
    await using server = await serve({ 'auto-tls': 'true', 'data-dir': dataDir })
    const { status, socket } = await ask(server.url, { ca: readFileSync(join(dataDir, 'tls', 'cert.pem')) })
    expect(status).toBe('HTTP/1.1 200 OK')
    socket.destroy()
    rmSync(dataDir, { recursive: true })
  })
})
