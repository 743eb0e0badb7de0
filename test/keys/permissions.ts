import { expect, it } from 'vitest'
import { b64 } from '../support/gateway.ts'
import type { KeyServer } from './servers.ts'

type Rights = 'READ' | 'WRITE' | 'READWRITE'
const USERS: Readonly<Record<string, Rights>> = { reader: 'READ', writer: 'WRITE', both: 'READWRITE' }

/** Switches authentication on, with a user for each kind of right on the prefix `p/`. Gives everybody's token. */
async function enableAuth({ gateway }: KeyServer): Promise<Record<string, string>> {
  const ok = (path: string, body: Parameters<typeof gateway.ok>[1]) => gateway.ok(`/v3/auth/${path}`, body)
  const names = ['root', ...Object.keys(USERS)]
  for (const name of names) {
    await ok('user/add', { name, password: 'secret' })
    await ok('role/add', { name })
    await ok('user/grant', { user: name, role: name })
  }
  for (const [name, permType] of Object.entries(USERS)) {
    await ok('role/grant', { name, perm: { permType, key: b64('p/'), range_end: b64('p0') } })
  }
  await ok('enable', {})
  const tokens: Record<string, string> = { nobody: '', stranger: 'no.such.token' }
  for (const name of names) {
    const { token } = await gateway.ok<{ token: string }>('/v3/auth/authenticate', {
      name,
      password: 'secret',
    })
    tokens[name] = token
  }
  return tokens
}

const ANY = { 'If-Match': '*' }
const NONE = { 'If-None-Match': '*' }

/** What each user is answered, one after the other. */
const REQUESTS: readonly [user: string, status: number, target: string, method: string, headers?: object][] =
  [
    ['both', 201, 'p/a', 'PUT', NONE],
    ...['GET', 'HEAD', 'PUT', 'DELETE'].flatMap((method): [string, number, string, string][] => [
      ['nobody', 400, 'p/a', method],
      ['stranger', 401, 'p/a', method],
      ['both', 403, 'q', method],
    ]),
    ['nobody', 400, 'p/?prefix', 'GET'],
    ['both', 403, 'p?prefix', 'GET'],
    ['both', 403, '?prefix', 'GET'],
    ['reader', 200, 'p/a', 'GET'],
    ['reader', 404, 'p/none', 'GET'],
    ['reader', 200, 'p/?prefix', 'GET'],
    ['reader', 403, 'p/a', 'PUT'],
    ['reader', 403, 'p/a', 'PUT', ANY],
    ['reader', 403, 'p/a', 'DELETE'],
    ['reader', 403, 'p/none', 'DELETE', ANY],
    ['writer', 403, 'p/a', 'GET'],
    ['writer', 403, 'p/none', 'GET'],
    ['writer', 403, 'p/?prefix', 'GET'],
    ['writer', 204, 'p/a', 'PUT'],
    ['writer', 204, 'p/none', 'PUT'],
    ['writer', 403, 'p/a', 'PUT', ANY],
    ['writer', 403, 'p/made', 'PUT', NONE],
    ['writer', 403, 'p/a', 'DELETE', ANY],
    ['writer', 204, 'p/a', 'DELETE'],
    ['both', 404, 'p/a', 'GET'],
    ['both', 404, 'p/made', 'GET'],
    ['both', 204, 'p/none', 'PUT', ANY],
    ['root', 201, 'q', 'PUT'],
  ]

/** That keys are under the same rules as everywhere. It comes last: it switches authentication on. */
export function testPermissions(server: KeyServer): void {
  it('everybody is let do what their roles say, and nobody learns more', async () => {
    const tokens = await enableAuth(server)
    for (const [user, status, target, method, headers = {}] of REQUESTS) {
      const token = tokens[user]
      const authorization = token === '' ? {} : { Authorization: `Bearer ${token}` }
      const answer = await server.keys.send(method, target, { headers: { ...authorization, ...headers } })
      expect(answer.status, `${user}: ${method} ${target} ${JSON.stringify(headers)}`).toBe(status)
      if (status === 403) expect(answer.headers).not.toHaveProperty('edgetcd-revision')
      if (method === 'GET' && status === 200) {
        expect(answer.headers['cache-control']).toBe('private, no-store')
      }
    }
  })
}
