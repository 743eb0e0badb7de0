import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { TlsSettings } from '../config/tls-settings.ts'
import { fileErrorReason } from '../file-error.ts'

/** What the files hold, as Node's TLS takes it. */
export interface TlsFiles {
  /** Undefined: the certificate is of the server's own making. */
  readonly certificate: { readonly cert: Buffer; readonly key: Buffer } | undefined
  readonly ca?: Buffer
  readonly crl?: string
}

/** Reads and checks the files that the settings name. Fails with an Error that says which flag's file can't be used, and why. */
export function readTlsFiles({ certificate, clients }: TlsSettings): TlsFiles {
  return {
    certificate: certificate && readCertificate(certificate),
    ...(clients && { ca: readAuthorities(clients.caFile) }),
    ...(clients?.crlFile && { crl: readRevocations(clients.crlFile) }),
  }
}

function readCertificate({ certFile, keyFile }: { certFile: string; keyFile: string }) {
  const cert = read('cert-file', certFile)
  const key = read('key-file', keyFile)
  const parsed = checked(`--cert-file ${certFile} holds no certificate in PEM`, () => {
    // Node's TLS takes PEM alone.
    if (!cert.includes('-----BEGIN')) throw new Error('it is no PEM')
    return new X509Certificate(cert)
  })
  const locked = key.includes('ENCRYPTED') ? ' without a password' : ''
  const privateKey = checked(`--key-file ${keyFile} holds no private key in PEM${locked}`, () =>
    createPrivateKey(key),
  )
  if (!parsed.checkPrivateKey(privateKey)) {
    throw new Error(`--key-file ${keyFile} doesn't belong to --cert-file ${certFile}`)
  }
  return { cert, key }
}

function readAuthorities(path: string): Buffer {
  const ca = read('trusted-ca-file', path)
  return checked(`--trusted-ca-file ${path} holds no certificates in PEM`, () => {
    if (!ca.includes('-----BEGIN')) throw new Error('it is no PEM')
    new X509Certificate(ca)
    return ca
  })
}

/** etcd reads DER, Node PEM. */
function readRevocations(path: string): string {
  const bytes = read('client-crl-file', path)
  const crl = bytes.includes('-----BEGIN')
    ? bytes.toString('latin1')
    : `-----BEGIN X509 CRL-----\n${bytes.toString('base64')}\n-----END X509 CRL-----\n`
  return checked(`--client-crl-file ${path} holds no revocation list`, () => {
    createSecureContext({ crl })
    return crl
  })
}

function read(flag: string, path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (cause) {
    throw new Error(`--${flag} ${path}: ${fileErrorReason(cause)}`, { cause })
  }
}

function checked<T>(what: string, check: () => T): T {
  try {
    return check()
  } catch (cause) {
    throw new Error(what, { cause })
  }
}
