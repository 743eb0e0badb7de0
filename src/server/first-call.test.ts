import { expect, it } from 'vitest'
import { readConfig } from '../config/config.ts'
import { firstCall } from './first-call.ts'

const BODY = `-d '{"key": "Zm9v", "value": "YmFy"}'`
const HTTPS = { 'listen-client-urls': 'https://127.0.0.1:1' }

it.each([
  [{}, `curl http://127.0.0.1:2379/v3/kv/put ${BODY}`],
  [{ 'listen-client-urls': 'http://0.0.0.0:1' }, `curl http://127.0.0.1:1/v3/kv/put ${BODY}`],
  [{ 'host-whitelist': 'localhost,127.0.0.1' }, `curl http://127.0.0.1:2379/v3/kv/put ${BODY}`],
  [{ 'host-whitelist': 'a.test,b.test' }, `curl http://127.0.0.1:2379/v3/kv/put -H 'Host: a.test' ${BODY}`],
  [
    { 'listen-client-urls': 'http://[::]:1', 'host-whitelist': '::1' },
    `curl http://[::1]:1/v3/kv/put ${BODY}`,
  ],
  [
    { 'listen-client-urls': 'https://a:1,http://b:2', 'auto-tls': 'true' },
    `curl http://b:2/v3/kv/put ${BODY}`,
  ],
  [
    { ...HTTPS, 'auto-tls': 'true', 'data-dir': 'd', 'host-whitelist': 'a.test' },
    `curl --cacert 'd/tls/cert.pem' https://127.0.0.1:1/v3/kv/put ${BODY}`,
  ],
  [{ ...HTTPS, 'cert-file': 'a', 'key-file': 'b' }, undefined],
  [{ ...HTTPS, 'auto-tls': 'true', 'trusted-ca-file': 'a' }, undefined],
])('for %j it is %s', (flags: Record<string, string>, line) => {
  const config = readConfig(flags, {})
  expect(firstCall(config.listenClientUrls, config)).toBe(line)
})
