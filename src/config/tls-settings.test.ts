import { expect, test } from 'vitest'
import { readConfig } from './config.ts'

const HTTPS = { 'listen-client-urls': 'https://127.0.0.1:2379' }
const CERTIFICATE = { ...HTTPS, 'cert-file': '/crt', 'key-file': '/key' }
const read = (flags: Record<string, string>) => readConfig(flags, {})

test('nothing is asked of clients by default', () => {
  expect(read(CERTIFICATE).tls).toEqual({
    certificate: { certFile: '/crt', keyFile: '/key' },
    selfSignedYears: 1,
    clients: undefined,
    minVersion: 'TLS1.2',
    maxVersion: undefined,
    ciphers: undefined,
  })
})

test('the authorities of client certificates make these required, as in etcd', () => {
  const clients = { caFile: '/ca', crlFile: undefined, allowedHostnames: [] }
  const files = { ...CERTIFICATE, 'trusted-ca-file': '/ca' }
  expect(read(files).tls?.clients).toEqual({ ...clients, nameUsers: false })
  expect(read({ ...files, 'client-cert-auth': 'true' }).tls?.clients).toEqual({ ...clients, nameUsers: true })
})

test('cipher suites have etcd’s names, and TLS 1.3 its own suites', () => {
  const suites = 'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_AES_128_GCM_SHA256'
  expect(read({ ...CERTIFICATE, 'cipher-suites': suites }).tls?.ciphers).toBe(
    'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:ECDHE-RSA-AES128-GCM-SHA256',
  )
  const limited = { ...CERTIFICATE, 'cipher-suites': suites, 'tls-max-version': 'TLS1.2' }
  expect(read(limited).tls?.ciphers).toBe('ECDHE-RSA-AES128-GCM-SHA256')
})

test('an http URL beside it stays open, which is said', () => {
  const both = { ...CERTIFICATE, 'listen-client-urls': 'https://10.0.0.1:2379,http://127.0.0.1:2379' }
  expect(read({ ...both, 'trusted-ca-file': '/ca', 'client-cert-auth': 'true' }).warnings).toEqual([
    'http://127.0.0.1:2379 is http: no certificate is used there',
    'http://127.0.0.1:2379 is http: clients need no certificate there',
  ])
})

test.each([
  [{ 'client-cert-auth': 'true' }, '--client-cert-auth protects nothing'],
  [HTTPS, 'an https URL needs --cert-file and --key-file, or --auto-tls'],
  [{ 'listen-metrics-urls': 'https://127.0.0.1:1' }, 'an https URL needs'],
  [{ ...HTTPS, 'cert-file': '/crt' }, 'belong together'],
  [{ ...CERTIFICATE, 'client-cert-auth': 'true' }, '--client-cert-auth needs --trusted-ca-file'],
  [{ ...CERTIFICATE, 'client-crl-file': '/crl' }, '--client-crl-file protects nothing'],
  [
    { ...CERTIFICATE, 'client-cert-allowed-hostname': 'a' },
    '--client-cert-allowed-hostname protects nothing',
  ],
  [{ ...CERTIFICATE, 'tls-min-version': 'TLS1.1' }, 'must be one of TLS1.2, TLS1.3'],
  [
    { ...CERTIFICATE, 'tls-min-version': 'TLS1.3', 'tls-max-version': 'TLS1.2' },
    'is above --tls-max-version',
  ],
  [
    { ...CERTIFICATE, 'cipher-suites': 'TLS_RSA_WITH_RC4_128_SHA' },
    'unexpected TLS cipher suite "TLS_RSA_WITH_RC4',
  ],
  [
    { ...CERTIFICATE, 'cipher-suites': 'TLS_RSA_WITH_AES_128_CBC_SHA', 'tls-min-version': 'TLS1.3' },
    'only TLS 1.3 is enabled',
  ],
])('%j is refused', (flags, message) => {
  expect(() => read(flags as Record<string, string>)).toThrow(message)
})
