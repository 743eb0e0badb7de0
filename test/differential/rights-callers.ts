import type { Headers } from '../support/gateway.ts'
import type { SeededRandom } from '../support/random.ts'

/** Everybody there may be; `dee` has no password, and `nil` is nobody yet. */
export const USERS = ['root', 'ann', 'bob', 'cy', 'dee', 'nil']
/** Each user's tokens are kept in a few places, so that there are old ones too. */
export const SLOTS = [0, 1]

/** Where a token of the user is kept. */
export function slotOf(user: string, place: number): string {
  return `${user}/${place}`
}

/** The one token of root that is always good while authentication is on. */
export const ROOT_SLOT = slotOf('root', 0)

/** Stands in a header's value for the token that is kept in the slot. */
function tokenIn(slot: string): string {
  return `{${slot}}`
}

/** The header that most clients send. */
export function asHolderOf(slot: string): Headers {
  return { authorization: tokenIn(slot) }
}

/** Tokens that no server has given. */
const GARBAGE = ['nobody', 'abc.1', 'abc.x', 'a.b.c', '.', 'Bearer', 'e30.e30.', '{"a":1}']

/** Whoever makes a call, in the headers of it: mostly somebody's token, sent in one of the ways there are. */
export function randomCaller(random: SeededRandom): Headers {
  const slot = () =>
    tokenIn(slotOf(random.pick(USERS.slice(0, 4)), random.chance(0.75) ? 0 : random.pick(SLOTS)))
  return random.weighted<() => Headers>([
    [25, () => asHolderOf(ROOT_SLOT)],
    [50, () => ({ authorization: slot() })],
    [8, () => ({})],
    [5, () => ({ authorization: random.pick(GARBAGE) })],
    [12, () => random.pick(headerForms(slot(), slot()))],
  ])()
}

/** Every way to send a token, and a second one beside it. */
export function headerForms(token: string, second: string): Headers[] {
  return [
    ...['', 'Bearer ', 'bearer ', 'BEARER ', 'Bearer', 'Bearer  ', 'Basic ', 'Bearer Bearer '].map(
      (scheme) => ({
        authorization: scheme + token,
      }),
    ),
    ...[
      'Grpc-Metadata-Token',
      'Grpc-Metadata-Authorization',
      'Token',
      'Grpcgateway-Authorization',
      'Cookie',
    ].flatMap((name) => [
      { [name]: token },
      { [name]: `Bearer ${token}` },
      { [name]: `bearer ${token}` },
      { [name]: '' },
    ]),
    ...['', 'Bearer', 'Bearer ', ' ', 'nobody'].flatMap((other) => [
      { authorization: other },
      { authorization: other, 'Grpc-Metadata-Token': token },
      { authorization: token, 'Grpc-Metadata-Token': other },
      { Token: other, authorization: token },
    ]),
    { authorization: token, 'Grpc-Metadata-Token': second },
    { authorization: `Bearer ${token}`, 'Grpc-Metadata-Token': `Bearer ${second}` },
    { 'Grpc-Metadata-Authorization': token, 'Grpc-Metadata-Token': second },
    { authorization: `${token} ` },
    { authorization: `${token} ${second}` },
    { authorization: `${token}, ${second}` },
  ]
}

/** The headers as they go to one server, which has given these tokens. */
export function withTokens(headers: Headers, tokens: ReadonlyMap<string, string>): Headers {
  const resolve = (value: string) =>
    value.replaceAll(/\{(\w+\/\d)\}/g, (_, slot: string) => tokens.get(slot) ?? 'never.1')
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, resolve(value)]))
}
