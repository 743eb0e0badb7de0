import { createPrivateKey, generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { makeDirectory } from '../make-directory.ts'
import {
  bitString,
  context,
  explicit,
  integer,
  objectId,
  octetString,
  sequence,
  set,
  time,
  utf8,
} from './der.ts'

const YEAR_MS = 365 * 24 * 3_600_000

const ECDSA_WITH_SHA256 = sequence(objectId('1.2.840.10045.4.3.2'))

/** A certificate and its key, as PEM. */
export interface KeyPair {
  readonly cert: string
  readonly key: string
}

/**
 * The certificate of `--auto-tls`: the one that lies in `directory`, or a new one for `hosts` that is put there, so that
 * it stays the same when the server starts again. One that is no longer valid is replaced. Fails as the system does.
 */
export function keptSelfSigned(directory: string, hosts: readonly string[], years: number): KeyPair {
  const certFile = join(directory, 'cert.pem')
  const keyFile = join(directory, 'key.pem')
  if (existsSync(certFile) && existsSync(keyFile)) {
    const kept = { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') }
    if (Date.parse(new X509Certificate(kept.cert).validTo) > Date.now()) return kept
  }
  const made = makeSelfSigned(hosts, years, new Date())
  makeDirectory(directory)
  writeFileSync(keyFile, made.key, { mode: 0o600 })
  writeFileSync(certFile, made.cert)
  return made
}

/** Makes a certificate that is its own authority, for host names and addresses, as etcd does: a P-256 key, one name. */
export function makeSelfSigned(hosts: readonly string[], years: number, now: Date): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    publicKeyEncoding: { type: 'spki', format: 'der' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  })
  const name = sequence(set(sequence(objectId('2.5.4.10'), utf8('edgetcd'))))
  const body = sequence(
    explicit(0, integer(Buffer.from([2]))),
    // A positive number of at most 20 bytes.
    integer(Buffer.concat([Buffer.from([1]), randomBytes(15)])),
    ECDSA_WITH_SHA256,
    name,
    sequence(time(now), time(new Date(now.getTime() + years * YEAR_MS))),
    name,
    publicKey,
    explicit(3, extensions(hosts)),
  )
  const signature = sign('sha256', body, createPrivateKey(privateKey))
  const cert = sequence(body, ECDSA_WITH_SHA256, bitString(signature)).toString('base64')
  const lines = cert.match(/.{1,64}/g) ?? []
  return {
    cert: ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n'),
    key: privateKey,
  }
}

/** For whom it is, and what it may be used for: a server's certificate, which clients may take as an authority. */
function extensions(hosts: readonly string[]): Buffer {
  const names = hosts.map((host) => {
    const address = addressBytes(host)
    return address === undefined ? context(2, Buffer.from(host, 'latin1')) : context(7, address)
  })
  const isAuthority = Buffer.from([1, 1, 0xff])
  const digitalSignatureAndCertSign = Buffer.from([3, 2, 2, 0x84])
  const serverAuth = objectId('1.3.6.1.5.5.7.3.1')
  return sequence(
    sequence(objectId('2.5.29.15'), isAuthority, octetString(digitalSignatureAndCertSign)),
    sequence(objectId('2.5.29.37'), octetString(sequence(serverAuth))),
    sequence(objectId('2.5.29.19'), isAuthority, octetString(sequence(isAuthority))),
    sequence(objectId('2.5.29.17'), octetString(sequence(...names))),
  )
}

function addressBytes(host: string): Buffer | undefined {
  switch (isIP(host)) {
    case 4:
      return Buffer.from(host.split('.').map(Number))
    case 6: {
      const [head = '', tail] = new URL(`http://[${host}]`).hostname.slice(1, -1).split('::')
      const groups = (text: string) =>
        text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16))
      const [before, after] = [groups(head), groups(tail ?? '')]
      const all = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after]
      return Buffer.from(all.flatMap((group) => [group >> 8, group & 0xff]))
    }
    default:
      return undefined
  }
}
