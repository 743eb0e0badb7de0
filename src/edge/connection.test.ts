import { expect, it } from 'vitest'
import type { Bindings } from './bindings.ts'
import { openConnection, openSession } from './connection.ts'

const NEON = 'postgres://user:pass@ep-name.eu-central-1.aws.neon.tech/db'

const opens = (bindings: Bindings) => {
  for (const open of [openConnection, openSession]) expect(() => open(bindings)).not.toThrow()
}
const refuses = (bindings: Bindings, message: string) => {
  for (const open of [openConnection, openSession]) expect(() => open(bindings)).toThrow(message)
}

it('finds the database that is bound', () => {
  opens({ HYPERDRIVE: { connectionString: 'postgres://user:pass@hyperdrive.local/db' } })
  opens({ DATABASE_URL: NEON })
  opens({ DATABASE_URL: 'neon://user:pass@db.example/db' })
  opens({ DATABASE_URL: 'postgres://user:pass@127.0.0.1/db', NEON_PROXY: 'http://127.0.0.1:4444' })
})

it('says what to bind when nothing that can be used is', () => {
  for (const DATABASE_URL of [
    undefined,
    '',
    'nonsense',
    'postgres://user:pass@neon.tech.example/db',
    'mysql://a.neon.tech',
  ]) {
    refuses(DATABASE_URL === undefined ? {} : { DATABASE_URL }, 'bind a Hyperdrive as HYPERDRIVE')
  }
  refuses({ DATABASE_URL: NEON, NEON_PROXY: 'localhost' }, 'NEON_PROXY must be a URL')
})
