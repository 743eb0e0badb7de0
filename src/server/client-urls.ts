import { hostOf } from './first-call.ts'

/** They mean every address of the machine, and are none. */
const ANY_ADDRESS = /^https?:\/\/(?:0\.0\.0\.0|\[::\]):/

/**
 * Where the clients of one of several stores are told to find it: at its own URLs, and by its host names where the server
 * as a whole is to be found, which is `advertised`.
 */
export function clientUrlsOf(
  { urls, hosts }: { readonly urls: readonly string[]; readonly hosts: readonly string[] },
  advertised: readonly string[],
): string[] {
  const [first] = advertised
  const own = urls.map((url) =>
    first !== undefined && ANY_ADDRESS.test(url) ? withHost(url, hostOf(first)) : url,
  )
  return [...own, ...hosts.flatMap((host) => advertised.map((url) => withHost(url, host)))]
}

function withHost(url: string, host: string): string {
  return url.replace(/\/\/.*:/, `//${host.includes(':') ? `[${host}]` : host}:`)
}
