import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot, temporaryDir } from './paths.ts'
import { freePort } from './ports.ts'
import { startProcess, waitUntilReady } from './process.ts'

/** nginx's program: EDGETCD_NGINX if set, else the one on the path or in Debian's place; or why there is none. */
export function nginxBinary(): { readonly path: string } | { readonly missing: string } {
  const given = process.env.EDGETCD_NGINX
  if (given) return { path: given }
  if (existsSync('/usr/sbin/nginx')) return { path: '/usr/sbin/nginx' }
  try {
    return { path: execFileSync('sh', ['-c', 'command -v nginx'], { encoding: 'utf8' }).trim() }
  } catch {
    return { missing: "there is no nginx on the path (Debian's package is nginx-light)" }
  }
}

export interface Nginx extends AsyncDisposable {
  readonly url: string
}

/** What of the documented configuration is the test's own; each is in it once. */
const LISTEN = 'listen 8080;'
const SERVER = 'server 127.0.0.1:2379;'
const CACHE = '/var/cache/nginx/edgetcd'

/** Starts nginx as a child, before the server at `url`, with the configuration that docs/request-collapsing.md shows. */
export async function startNginx(path: string, url: string): Promise<Nginx> {
  const dir = temporaryDir('nginx')
  chmodSync(dir, 0o755)
  const port = await freePort()
  const http = documentedConfiguration({
    [LISTEN]: `listen 127.0.0.1:${port};`,
    [SERVER]: `server ${new URL(url).host};`,
    [CACHE]: join(dir, 'cache'),
  })
  const file = join(dir, 'nginx.conf')
  writeFileSync(file, configuration(dir, http))
  const child = startProcess(path, ['-e', 'stderr', '-p', dir, '-c', file])
  const answers = async () =>
    (await fetch(`http://127.0.0.1:${port}/version`).catch(() => undefined))?.ok === true
  await waitUntilReady('nginx', child, answers)
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      await child.stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

function documentedConfiguration(replacements: Readonly<Record<string, string>>): string {
  const page = readFileSync(join(projectRoot, 'docs/request-collapsing.md'), 'utf8')
  const block = /```nginx\n(.*?)```/s.exec(page)?.[1]
  if (block === undefined) throw new Error('docs/request-collapsing.md has no configuration of nginx')
  return Object.entries(replacements).reduce((text, [theirs, own]) => {
    if (text.split(theirs).length !== 2) throw new Error(`the documented configuration has not one ${theirs}`)
    return text.replace(theirs, own)
  }, block)
}

/** The same, in a whole file of nginx's: in the foreground, with all that it writes under `dir`. */
function configuration(dir: string, http: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
  return `
daemon off;
worker_processes 1;
pid ${dir}/nginx.pid;
error_log stderr warn;
events { worker_connections 8192; }
http {
  access_log off;
  ${temporary.map((name) => `${name}_temp_path ${dir}/${name};`).join('\n  ')}
${http}
}
`
}
