/** A database made once and copied for each test: making one takes most of a test's time. */
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { temporaryDir } from '../support/paths.ts'
import type { Installation } from './installation.ts'
import { Server } from './server.ts'

export interface Template {
  /** A new data directory with an empty database, owned as the original is. */
  copy(): string
  remove(): void
}

export async function makeTemplate(installation: Installation): Promise<Template> {
  const original = temporaryDir('template')
  const server = new Server({ installation, dataDir: original })
  await server.started()
  await server.stop()
  return {
    copy: () => {
      const dataDir = temporaryDir('data')
      const { status } = spawnSync('cp', ['-a', `${original}/postgres`, dataDir])
      if (status !== 0) throw new Error('cp failed')
      return dataDir
    },
    remove: () => rmSync(original, { recursive: true, force: true }),
  }
}
