import type { HeaderReader } from '../rpc/request.ts'

/** The method that the gateway acts on: a form may ask for another one than POST, and then doesn't get it. */
export function methodOf(method: string, header: HeaderReader): string {
  if (method !== 'POST' || header('content-type') !== 'application/x-www-form-urlencoded') return method
  const override = header('x-http-method-override')
  return override === undefined || override === '' ? method : override.toUpperCase()
}
