import { expect, it } from 'vitest'
import { ConfigError, readConfig } from '../config/config.ts'
import { readWorkerConfig } from './config.ts'

it('warns of names that are not known, and of those that mean nothing to a Worker', () => {
  const bindings = {
    ETCD_SHCEMA: 'x',
    ETCD_DATA_DIR: '/data',
    ETCD_LISTEN_CLIENT_URLS: 'unix://nowhere',
    ETCD_GRPC_KEEPALIVE_INTERVAL: '1h',
    ETCD_HEARTBEAT_INTERVAL: '100',
    ETCD_CERT_FILE: '',
  }
  const { warnings } = readWorkerConfig(bindings)
  expect(warnings).toEqual([
    'unrecognized environment variable ETCD_SHCEMA',
    'ETCD_DATA_DIR is ignored: it means nothing to a Worker',
    'ETCD_LISTEN_CLIENT_URLS is ignored: it means nothing to a Worker',
    'ETCD_GRPC_KEEPALIVE_INTERVAL is ignored: it means nothing to a Worker',
    'ETCD_HEARTBEAT_INTERVAL is ignored: it means nothing to a Worker',
  ])
})

it('takes what means something, and leaves the database to those that open it', () => {
  const bindings = { ETCD_SCHEMA: 'x', ETCD_POLL_INTERVAL: '1s', DATABASE_URL: 'neon://a:b@c/d' }
  const { schema, pollInterval, databaseUrl, warnings } = readWorkerConfig(bindings)
  expect({ schema, pollInterval, databaseUrl, warnings }).toEqual({
    schema: 'x',
    pollInterval: 1000,
    databaseUrl: undefined,
    warnings: [],
  })
  expect(readWorkerConfig({})).toEqual(readConfig({}, {}))
})

it('refuses what it can’t follow, and tells no secret', () => {
  const read = (bindings: Record<string, string>) => () => readWorkerConfig(bindings)
  expect(read({ ETCD_AUTO_COMPACTION_RETENTION: '1hour' })).toThrow(ConfigError)
  expect(read({ ETCD_AUTO_COMPACTION_RETENTION: '1hour' })).toThrow(
    'ETCD_AUTO_COMPACTION_RETENTION is "1hour", but must be hours, or a duration such as 30m',
  )
  expect(read({ ETCD_SCHEMA: '' })).toThrow('ETCD_SCHEMA is empty')
  expect(read({ ETCD_AUTH_TOKEN_KEY: 'short' })).toThrow(/^ETCD_AUTH_TOKEN_KEY must have at least 32 bytes$/)
})
