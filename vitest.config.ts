import { readFile } from 'node:fs/promises'
import { defineConfig, type Plugin } from 'vitest/config'

/** SQL files import as their text here as they do in the bundle (src/sql.d.ts). */
const sqlAsText: Plugin = {
  name: 'sql-as-text',
  async load(id) {
    if (!id.endsWith('.sql')) return null
    return `export default ${JSON.stringify(await readFile(id, 'utf8'))}`
  },
}

/** What starts whole servers: it needs the bundle, and time. */
const build = 'test/support/build.ts'
const servers = { globalSetup: [build], testTimeout: 120_000, hookTimeout: 120_000 }

/**
 * One project a kind of test, so that CI and a developer can run them apart: `npx vitest run --project unit`.
 * `servers` are the tests of whole servers; the long ones of them have a project each.
 */
export default defineConfig({
  plugins: [sqlAsText],
  test: {
    maxWorkers: 3,
    // A machine that is busy with all of them at once may take its time; what never comes is found all the same.
    expect: { poll: { timeout: 20_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          testTimeout: 30_000,
          hookTimeout: 30_000,
          include: ['src/**/*.test.ts', 'test/support/**/*.test.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'servers',
          include: ['test/**/*.test.ts'],
          exclude: [
            'test/support/**',
            'test/differential/**',
            'test/concurrency/**',
            'test/durability/**',
            'test/clients/**',
          ],
          ...servers,
        },
      },
      {
        extends: true,
        test: {
          name: 'differential',
          include: ['test/differential/**/*.test.ts'],
          ...servers,
          globalSetup: [build, 'test/support/build-etcd.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'concurrency',
          include: ['test/concurrency/**/*.test.ts'],
          ...servers,
          // After all others: it counts what the machine can do in ten seconds.
          sequence: { groupOrder: 1 },
        },
      },
      { extends: true, test: { name: 'durability', include: ['test/durability/**/*.test.ts'], ...servers } },
      {
        extends: true,
        test: {
          name: 'clients',
          include: ['test/clients/**/*.test.ts'],
          ...servers,
          globalSetup: [build, 'test/support/build-etcd.ts', 'test/support/build-go-clients.ts'],
        },
      },
    ],
  },
})
