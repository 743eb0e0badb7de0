/**
 * What is kept of a password.
 *
 * - `pbkdf2-sha256`: PBKDF2-HMAC-SHA-256 of it, as edgetcd makes it.
 * - `bcrypt`: what a client gave instead of a password, which etcd takes for bcrypt's output without a look.
 */
export type StoredPassword =
  | {
      readonly scheme: 'pbkdf2-sha256'
      readonly hash: Uint8Array
      readonly salt: Uint8Array
      readonly iterations: number
    }
  | { readonly scheme: 'bcrypt'; readonly hash: Uint8Array }
