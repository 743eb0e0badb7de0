import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { startEdgetcd } from '../support/edgetcd.ts'
import { projectRoot, temporaryDir } from '../support/paths.ts'

const run = promisify(execFile)

/** A page's `console` blocks: a curl line, and what it prints. */
function examples(page: string): { command: string; output: string }[] {
  const text = readFileSync(join(projectRoot, page), 'utf8')
  return [...text.matchAll(/^```console\n\$ (.+)\n([\s\S]*?)^```$/gm)].map(([, command, output]) => ({
    command: command ?? '',
    output: output ?? '',
  }))
}

/** Each store has ids of its own. */
const withoutIds = (text: string): string =>
  text.replaceAll(/"(cluster_id|member_id)":"\d+"/g, (_, name) => `"${name}":"…"`).trim()

async function printed(command: string, cwd: string): Promise<string> {
  try {
    return (await run('sh', ['-c', command], { cwd })).stdout
  } catch (error) {
    // curl's own time limit ends the watch: 28, and what came until then counts.
    const { code, stdout } = error as { code: number; stdout: string }
    expect(code).toBe(28)
    return stdout
  }
}

test.each([
  ['README.md', 11],
  ['docs/readable-form.md', 5],
  ['docs/large-ranges.md', 2],
  ['docs/authentication.md', 13],
])('the curl lines of %s print on a fresh store what it shows, in its order', async (page, count) => {
  const dir = temporaryDir('readme')
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  await using server = await startEdgetcd({ dataDir: join(dir, 'data') })
  const found = examples(page)
  expect(found.length).toBe(count)
  for (const { command, output } of found) {
    // What has to come in the second of a watch may take a busy machine longer.
    const here = command
      .replaceAll('http://127.0.0.1:2379', server.url)
      .replace('--max-time 1', '--max-time 5')
    expect(withoutIds(await printed(here, dir)), command).toBe(withoutIds(output))
  }
})

/** A heading's anchor, as GitHub makes it. */
const anchor = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')

const anchorsOf = (path: string) =>
  [...readFileSync(path, 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchor(heading ?? ''))

const pages = ['docs', 'docs/adr'].flatMap((folder) =>
  readdirSync(join(projectRoot, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `${folder}/${name}`),
)

test.each(['README.md', 'CHANGELOG.md', ...pages])('the links of %s lead somewhere', (page) => {
  const path = join(projectRoot, page)
  const prose = readFileSync(path, 'utf8').replaceAll(/^```[\s\S]*?^```$/gm, '')
  for (const [, link = ''] of prose.matchAll(/\]\(([^)\s]+)\)/g)) {
    if (/^[a-z]+:/.test(link)) continue
    const [file = '', heading] = link.split('#')
    const target = file === '' ? path : join(dirname(path), file)
    expect(existsSync(target), link).toBe(true)
    if (heading !== undefined) expect(anchorsOf(target), link).toContain(heading)
  }
})
