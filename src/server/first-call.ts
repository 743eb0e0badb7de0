import { join } from 'node:path'
import type { Config } from '../config/config.ts'

/**
 * A line of curl that works as it stands on this machine with a server on `urls`; undefined where it would need
 * certificates of the caller's own.
 */
export function firstCall(
  urls: readonly string[],
  { hostWhitelist, tls, dataDir }: Config,
): string | undefined {
  const url = urls.find((each) => each.startsWith('http:')) ?? urls[0]
  if (url === undefined) return undefined
  const words = [`${url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:')}/v3/kv/put`]
  if (url.startsWith('https:')) {
    if (tls?.certificate !== undefined || tls?.clients !== undefined) return undefined
    words.unshift(`--cacert '${join(dataDir, 'tls', 'cert.pem')}'`)
  } else if (!['*', hostOf(words[0] ?? '')].some((name) => hostWhitelist.includes(name))) {
    words.push(`-H 'Host: ${hostWhitelist[0]}'`)
  }
  return ['curl', ...words, `-d '{"key": "Zm9v", "value": "YmFy"}'`].join(' ')
}

/** The name or the address in a URL, an address of IPv6 without its brackets. */
export function hostOf(url: string | URL): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '')
}
