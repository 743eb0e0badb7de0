import { YUGABYTEDB } from '../yugabytedb/dialect.ts'
import type { Dialect } from './dialect.ts'
import { POSTGRES } from './postgres.ts'

/** The dialect that the scheme of a connection string chooses. */
export function dialectOf(url: string): Dialect {
  return url.startsWith('yugabytedb:') ? YUGABYTEDB : POSTGRES
}
