// Bundles the Node server into dist/, so that `npm start` and the package's bin run on plain Node 20 with
// nothing transpiled at start. The SQL files travel inside the bundle as text: a Worker has no file system,
// and the same import serves both.
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { build } from 'esbuild'

const { outputFiles } = await build({
  entryPoints: { cli: 'src/cli.ts' },
  outdir: 'dist',
  bundle: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  packages: 'external',
  loader: { '.sql': 'text' },
  sourcemap: true,
  banner: { js: '#!/usr/bin/env node' },
  logLevel: 'warning',
  write: false,
})

// Each file appears whole, for a server may be starting from the last bundle.
mkdirSync('dist', { recursive: true })
for (const { path, contents } of outputFiles) {
  const unfinished = `${path}.${process.pid}`
  writeFileSync(unfinished, contents)
  renameSync(unfinished, path)
}
