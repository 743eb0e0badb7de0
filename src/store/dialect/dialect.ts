import type { ClientBase } from 'pg'
import type { Log } from '../../environment.ts'
import type { Sql } from '../sql.ts'

/** A numbered migration: its place in the list of an engine is its number, from 1. */
export interface Migration {
  readonly name: string
  /** What all engines have in common, then how this one keeps it. */
  readonly sql: string
}

/**
 * What one engine does otherwise than the others, all of it when migrating: the tables and functions of a store are its
 * own, and the statements that are sent afterwards are the same for all. The scheme of the connection string chooses it.
 */
export interface Dialect {
  readonly name: string
  /** The migrations, forward only. */
  readonly migrations: readonly Migration[]
  /** The engine's functions, which are replaced as a set. */
  readonly functions: readonly string[]
  /** What stands for `:asc` behind the columns of a primary key. */
  readonly asc: string
  /**
   * Whether what a transaction creates goes with it. Where it doesn't, each statement is a transaction of its own, and all
   * are run again when one has failed.
   */
  readonly transactionalDdl: boolean
  /** Refuses a server of another engine, or one that is too old. Fails with an Error fit to be shown. */
  checkEngine(client: ClientBase): Promise<void>
  /** The same, and looks at how the server is set before anything is migrated, and says what matters of it. Fails with an Error fit to be shown. */
  checkServer(client: ClientBase, log: Log): Promise<void>
  /** The same connections, whose failures mean what they mean on this engine. */
  adapt(sql: Sql): Sql
}

/** Replaces the fragment in the text of a migration, with the space before it where there is nothing to say. */
export function writeAsc(text: string, { asc }: Pick<Dialect, 'asc'>): string {
  return text.replaceAll(/ :asc\b/g, asc === '' ? '' : ` ${asc}`)
}
