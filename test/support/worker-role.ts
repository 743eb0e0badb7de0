import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { quoteIdentifier } from '../../src/store/statement.ts'
import { cleanEnvironment } from './edgetcd.ts'
import { projectRoot } from './paths.ts'

/**
 * Migrates the schema as its owner, and makes the role that docs/workers.md tells to make, by the very SQL of that page.
 * Gives the connection string of the role, which is named after the schema.
 */
export async function workerRole(adminUrl: string, schema: string): Promise<string> {
  execFileSync(process.execPath, [join(projectRoot, 'dist/cli.js'), 'migrate'], {
    env: { ...cleanEnvironment(), DATABASE_URL: adminUrl, ETCD_SCHEMA: schema },
    stdio: 'pipe',
  })
  const page = readFileSync(join(projectRoot, 'docs/workers.md'), 'utf8')
  const [make = '', rights = ''] = [...page.matchAll(/^```sql\n([\s\S]*?)^```$/gm)].map(([, sql = '']) => sql)
  const password = /password '(.*)'/.exec(make)?.[1] ?? ''
  const role = `${schema}_worker`
  const client = new pg.Client({ connectionString: adminUrl })
  await client.connect()
  try {
    // As after an upgrade: the role is made once, its rights are granted as often as one likes.
    const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role])
    await client.query(
      (rowCount === 0 ? make + rights : rights)
        .replaceAll(/\betcd\b/g, quoteIdentifier(schema))
        .replaceAll('edgetcd_worker', quoteIdentifier(role)),
    )
  } finally {
    await client.end()
  }
  const url = new URL(adminUrl)
  url.username = role
  url.password = password
  return url.href
}
