import { expect, it } from 'vitest'
import { databaseUrl, socketUrl, statementUrl, withoutPooler } from './place.ts'

const NEON = 'postgresql://user:pass@ep-name-1-pooler.eu-central-1.aws.neon.tech/db'
const urlOf = (connectionString: string) => databaseUrl({ connectionString })

it('leaves out how a connection is encrypted, and takes neon: for postgres:', () => {
  const url = urlOf(`${NEON.replace('postgresql', 'neon')}?sslmode=require&channel_binding=require&options=a`)
  expect(url.href).toBe(`${NEON.replace('postgresql', 'postgres')}?options=a&application_name=edgetcd`)
})

it('finds the host of sessions', () => {
  expect(socketUrl(urlOf(NEON), undefined)).toBe('wss://ep-name-1-pooler.eu-central-1.aws.neon.tech/v2')
  expect(socketUrl(withoutPooler(urlOf(NEON)), undefined)).toBe(
    'wss://ep-name-1.eu-central-1.aws.neon.tech/v2',
  )
})

it('asks a proxy instead', () => {
  expect(statementUrl('http://127.0.0.1:4444')).toBe('http://127.0.0.1:4444/sql')
  expect(socketUrl(urlOf(NEON), 'http://127.0.0.1:4444')).toBe('ws://127.0.0.1:4444/v2')
  expect(socketUrl(urlOf(NEON), 'https://proxy.example/')).toBe('wss://proxy.example/v2')
})
