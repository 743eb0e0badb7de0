import { POSTGRES } from './dialect/postgres.ts'

/** What a store on PostgreSQL is made of. */
export const { migrations: MIGRATIONS, functions: FUNCTIONS } = POSTGRES
