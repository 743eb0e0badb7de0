import type { Sql, Statement } from '../store/sql.ts'

/**
 * One store's use of connections that several stores share. They prepare statements by name, and the stores name theirs
 * alike: here `store`, different for each from 0 on, tells them apart; the first keeps its names, which the database's log
 * shows. Closing it leaves the connections to the others.
 */
export function shareOf(sql: Sql, store: number): Sql {
  const renamed = new Map<Statement, Statement>()
  const own = (statement: Statement): Statement => {
    if (store === 0) return statement
    let renaming = renamed.get(statement)
    if (renaming === undefined) {
      renaming = { ...statement, name: `${store} ${statement.name}` }
      renamed.set(statement, renaming)
    }
    return renaming
  }
  return {
    read: (statement, parameters) => sql.read(own(statement), parameters),
    long: (statement, parameters) => sql.long(own(statement), parameters),
    write: (statement, parameters) => sql.write(own(statement), parameters),
    close: async () => {},
  }
}
