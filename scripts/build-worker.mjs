// Builds what `wrangler deploy` uploads into dist/worker, and prints how large it is and how long it takes to start:
//
//   npm run build:worker
//
// Fails above 300 KB compressed (Cloudflare takes 3 MB on its free plan) or 100 ms (it takes a second).
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'

const COMPRESSED_KB_MAX = 300
const START_UP_MS_MAX = 100
/** How often workerd is started with each of the two workers. */
const STARTS = 12

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const outdir = 'dist/worker'
rmSync(outdir, { recursive: true, force: true })
// wrangler needs a newer Node than edgetcd does; one is among the packages.
const wrangler = ['node_modules/wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--outdir', outdir]
const { status, stdout } = spawnSync('node_modules/.bin/node', wrangler, {
  env: { ...process.env, WRANGLER_SEND_METRICS: 'false' },
  stdio: ['ignore', 'pipe', 'inherit'],
})
if (status !== 0) {
  process.stderr.write(stdout)
  process.exit(status ?? 1)
}

const modules = readdirSync(outdir).filter((name) => name === 'worker.js' || name.endsWith('.sql'))
const bytes = Buffer.concat(modules.map((name) => readFileSync(join(outdir, name))))
const compressedKb = gzipSync(bytes).length / 1000
console.log(
  `size: ${(bytes.length / 1000).toFixed(1)} KB, compressed ${compressedKb.toFixed(1)} KB (limit ${COMPRESSED_KB_MAX} KB)`,
)

const { startUpMs, medianMs } = await measureStartUp()
console.log(
  `start-up: ${startUpMs.toFixed(1)} ms in workerd, the quickest of ${STARTS} (median ${medianMs.toFixed(1)} ms; limit ${START_UP_MS_MAX} ms)`,
)
if (compressedKb > COMPRESSED_KB_MAX) fail('the bundle is too large')
if (startUpMs > START_UP_MS_MAX) fail('the bundle takes too long to start')

function fail(message) {
  console.error(`build:worker: ${message}`)
  process.exitCode = 1
}

/**
 * What the bundle adds to the start of a process, from spawning it to its first answer, in which an empty worker takes
 * part by turns: the modules are read, compiled and run by then. Whatever else the machine does only adds to a time, so the
 * quickest of each is nearest the truth.
 */
async function measureStartUp() {
  const dir = mkdtempSync(join(tmpdir(), 'edgetcd-start-'))
  try {
    const { unstable_readConfig } = await import('wrangler')
    const settings = unstable_readConfig({ config: 'wrangler.toml' })
    for (const name of modules) writeFileSync(join(dir, name), readFileSync(join(outdir, name)))
    const answer = 'export default { fetch: () => new Response() }\n'
    writeFileSync(join(dir, 'empty.js'), answer)
    writeFileSync(join(dir, 'full.js'), `import './worker.js'\n${answer}`)
    writeFileSync(join(dir, 'empty.capnp'), workerdConfig(settings, ['empty.js']))
    writeFileSync(join(dir, 'full.capnp'), workerdConfig(settings, ['full.js', ...modules]))
    const times = { empty: [], full: [] }
    for (let i = 0; i < STARTS; i++) {
      for (const kind of ['empty', 'full']) times[kind].push(await timeStart(join(dir, `${kind}.capnp`)))
    }
    const differences = times.full.map((ms, i) => ms - times.empty[i]).toSorted((a, b) => a - b)
    return {
      startUpMs: Math.min(...times.full) - Math.min(...times.empty),
      medianMs: differences[Math.floor(differences.length / 2)],
    }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Milliseconds from starting workerd to its first answer. */
async function timeStart(config) {
  const startMs = performance.now()
  const workerd = spawn('node_modules/.bin/workerd', ['serve', '--experimental', '--control-fd=3', config], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  })
  try {
    const [line] = await workerd.stdio[3].take(1).toArray()
    const { port } = JSON.parse(line)
    await new Promise((resolve, reject) => {
      get({ host: '127.0.0.1', port }, (response) => response.resume().on('end', resolve)).on('error', reject)
    })
    return performance.now() - startMs
  } finally {
    workerd.kill('SIGKILL')
  }
}

function workerdConfig({ compatibility_date, compatibility_flags }, names) {
  const text = JSON.stringify
  const embedded = names.map((name, i) => {
    // The first is the one that answers.
    const module = name.endsWith('.js') ? name : `./${name}`
    const kind = name.endsWith('.js') ? 'esModule' : 'text'
    return `    (name = ${text(i === 0 ? 'main.js' : module)}, ${kind} = embed ${text(name)})`
  })
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "worker", worker = .worker)],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")]
);
const worker :Workerd.Worker = (
  modules = [
${embedded.join(',\n')}
  ],
  compatibilityDate = ${text(compatibility_date)},
  compatibilityFlags = ${text(compatibility_flags)}
);
`
}
