import { describe, expect, test } from 'vitest'
import { withLibpqModes, withoutPassword, withPostgresScheme } from './database-url.ts'

describe('a connection string', () => {
  test.each([
    ['postgres://user:pass@host:5432/db', 'postgres://user@host:5432/db'],
    ['postgres://user:p@ss@host/db', 'postgres://user@host/db'],
    ['postgres://user@host/db?password=secret', 'postgres://user@host/db'],
    ['postgres://host/db', 'postgres://host/db'],
    ['postgres://user:pass@%2Ftmp%2Fsocket:5432/db', 'postgres://user@%2Ftmp%2Fsocket:5432/db'],
  ])('%s is shown as %s', (url, shown) => {
    expect(withoutPassword(url)).toBe(shown)
  })

  test("sslmode means what libpq means by it, unless the driver's own reading was asked for", () => {
    expect(withLibpqModes('postgres://h/db?sslmode=require')).toBe(
      'postgres://h/db?sslmode=require&uselibpqcompat=true',
    )
    expect(withLibpqModes('postgres://h/db?sslmode=require&uselibpqcompat=false')).not.toContain(
      'compat=true',
    )
    expect(withLibpqModes('postgres://h/db')).toBe('postgres://h/db')
  })

  test.each([
    ['yugabytedb://user:p@h:5/db?sslmode=require', 'postgres://user:p@h:5/db?sslmode=require'],
    ['yugabytedb://yugabyte@h/yugabyte', 'postgres://yugabyte@h:5433/yugabyte'],
    ['yugabytedb://[::1]/db', 'postgres://[::1]:5433/db'],
    ['postgres://h/db', 'postgres://h/db'],
  ])('%s is for the driver %s', (url, forDriver) => {
    expect(withPostgresScheme(url)).toBe(forDriver)
  })
})
