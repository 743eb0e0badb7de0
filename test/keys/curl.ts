import { execFile } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, it } from 'vitest'
import { temporaryDir } from '../support/paths.ts'
import type { KeyServer } from './servers.ts'

const dir = temporaryDir('curl')
afterAll(() => rmSync(dir, { recursive: true, force: true }))
const run = promisify(execFile)

/** Above what curl sends without asking, by `Expect: 100-continue`, whether it may. */
const LARGE = Buffer.alloc(1_400_000, 'large value ')
writeFileSync(join(dir, 'config'), 'port: 80\n')
writeFileSync(join(dir, 'large'), LARGE)
writeFileSync(join(dir, 'too-large'), Buffer.alloc(5_000_000))

/** What people type. */
export function testCurl(server: KeyServer): void {
  /** Runs curl in the directory of the files, in a shell; `$URL` is the server's. Gives what it printed. */
  const curl = async (words: string): Promise<string> => {
    const env = { ...process.env, URL: server.gateway.url }
    const { stdout } = await run('sh', ['-c', `curl -sS --max-time 20 ${words}`], { cwd: dir, env })
    return stdout
  }

  it('curl puts a file, and gets it', async () => {
    expect(await curl('-T config $URL/keys/app/config -w "%{http_code}"')).toBe('201')
    expect(await curl('$URL/keys/app/config')).toBe('port: 80\n')
    // With a slash at the end curl adds the name of the file.
    expect(await curl('-T config $URL/keys/app/ -w "%{http_code}"')).toBe('204')
    expect(await curl('-f -X DELETE $URL/keys/app/config -w "%{http_code}"')).toBe('204')
    await expect(curl('-f $URL/keys/app/config')).rejects.toMatchObject({ code: 22 })
  })

  it('curl is told to go on with a large file, and with what comes from a pipe', async () => {
    expect(await curl('-v -T large $URL/keys/curl/large -o out 2>&1')).toMatch(
      /> Expect: 100-continue.*< HTTP\/1.1 100 Continue.*< HTTP\/1.1 201/s,
    )
    await curl('$URL/keys/curl/large -o got')
    expect(readFileSync(join(dir, 'got')).equals(LARGE)).toBe(true)
    expect(await curl('-v -T - $URL/keys/curl/piped -o out 2>&1 < large')).toMatch(
      /> Transfer-Encoding: chunked.*< HTTP\/1.1 201/s,
    )
    await curl('$URL/keys/curl/piped -o got')
    expect(readFileSync(join(dir, 'got')).equals(LARGE)).toBe(true)
    expect(await curl('-T too-large $URL/keys/too-large -w "%{http_code}" -o out')).toBe('413')
  })

  it('curl leaves a path alone when asked to, and a key in the query anyway', async () => {
    await curl('--path-as-is -T config $URL/keys//a/../b')
    expect(await curl('$URL/keys/%2Fa%2F..%2Fb')).toBe('port: 80\n')
    expect(await curl('-G --data-urlencode key=/a/../b $URL/keys/')).toBe('port: 80\n')
  })

  it('curl compares and saves tags', async () => {
    await curl('-T config $URL/keys/tagged; rm -f tag')
    const get = '-w "%{http_code}" --etag-compare tag --etag-save tag $URL/keys/tagged'
    expect(await curl(get)).toBe('port: 80\n200')
    expect(await curl(get)).toBe('304')
    const put = '-T config -H "If-Match: $(cat tag)" $URL/keys/tagged -w "%{http_code}" -o out'
    expect(await curl(put)).toBe('204')
    expect(await curl(put)).toBe('412')
  })
}
