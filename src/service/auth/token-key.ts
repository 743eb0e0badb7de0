/** The signing methods of etcd's tokens, by their names in JWT. */
export const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const
export const KEY_ALGORITHMS = [
  ...['RS256', 'RS384', 'RS512'],
  ...['PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512'],
  'EdDSA',
] as const

/** How tokens are signed and checked. */
export type TokenKey =
  /** With a secret that was made with the store and is kept in it. */
  | { readonly kind: 'stored' }
  /** With a secret of the deployment. */
  | {
      readonly kind: 'secret'
      readonly algorithm: (typeof SECRET_ALGORITHMS)[number]
      readonly secret: Uint8Array
    }
  /** With a pair of keys of the deployment; the public one may be left out. */
  | {
      readonly kind: 'keys'
      readonly algorithm: (typeof KEY_ALGORITHMS)[number]
      readonly privateKeyPem: string
      readonly publicKeyPem?: string
    }
