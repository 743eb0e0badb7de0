import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheDir, temporaryDir } from './paths.ts'

/** A program written in Go. `missing` says why there is none: no Go, or no way to its modules. */
export type GoProgram = { readonly path: string } | { readonly missing: string }

const run = promisify(execFile)

/** Builds the command that is `command` of a module as it was released, once: it is kept in node_modules/.cache. */
export async function buildReleased(name: string, command: string, version: string): Promise<GoProgram> {
  const cached = join(cacheDir('etcd'), `${name}-${version}`)
  if (existsSync(cached)) return { path: cached }
  const dir = temporaryDir(`${name}-build`)
  try {
    const go = (...args: string[]) => run('go', args, { cwd: dir })
    await go('mod', 'init', 'etcd.build/throwaway')
    await go('get', '-tool', `${command}@v${version}`)
    await go('build', '-o', join(dir, name), command)
    return { path: keep(join(dir, name), cached) }
  } catch (error) {
    return { missing: `${name} ${version} can't be built here: ${firstLines(error)}` }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** With this the compiler begins what it says of a package; without Go or its modules it says nothing. */
const COMPILER = /^# /m

/**
 * Builds the program whose module lies in `source`; anew only when a file of it has changed. Fails where the compiler
 * refuses it: that is no reason to skip what the program is for.
 */
export async function buildOwn(name: string, source: string): Promise<GoProgram> {
  const hash = createHash('sha256')
  for (const file of readdirSync(source).sort()) {
    if (/\.(go|mod|sum)$/.test(file)) hash.update(file).update(readFileSync(join(source, file)))
  }
  const cached = join(cacheDir('go-clients'), `${name}-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(cached)) return { path: cached }
  const dir = temporaryDir(`${name}-build`)
  try {
    await run('go', ['build', '-o', join(dir, name), '.'], { cwd: source })
    return { path: keep(join(dir, name), cached) }
  } catch (error) {
    if (COMPILER.test(String(error))) throw error
    return { missing: `${name} can't be built here: ${firstLines(error)}` }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** It appears whole: another process may be looking for it. */
function keep(program: string, cached: string): string {
  copyFileSync(program, `${cached}.${process.pid}`)
  renameSync(`${cached}.${process.pid}`, cached)
  return cached
}

/** What there is to say of a command that failed, without all that it printed. */
export function firstLines(error: unknown): string {
  return String(error instanceof Error ? error.message : error)
    .split('\n')
    .slice(0, 3)
    .join(' ')
}
