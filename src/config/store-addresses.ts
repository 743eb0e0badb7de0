/** One of several etcds that a server serves, and how its clients say that they mean it. */
export interface StoreAddress {
  /** The schema that holds it. */
  readonly schema: string
  /** Where nothing else is served. */
  readonly urls: readonly string[]
  /** The host names by which it is asked for where several are served, in lower case. */
  readonly hosts: readonly string[]
}

/**
 * Reads what `--store` is given: `NAME=http://HOST:PORT` or `NAME=//HOST`, several separated by commas, one name as often
 * as it has addresses. Undefined if it isn't that, or if two stores had one address.
 */
export function readStoreAddresses(text: string): StoreAddress[] | undefined {
  const taken = new Set<string>()
  const stores = new Map<string, { urls: string[]; hosts: string[] }>()
  for (const part of text.split(',')) {
    const [, schema, given] = /^\s*([^=]+)=(\S+?)\/?\s*$/.exec(part) ?? []
    const address = given === undefined ? undefined : asAsked(given.toLowerCase())
    if (schema === undefined || address === undefined || taken.has(address)) return undefined
    // Any number of them get ports of their own from the system.
    if (!address.endsWith(':0')) taken.add(address)
    const store = stores.get(schema) ?? { urls: [], hosts: [] }
    stores.set(schema, store)
    if (isListenUrl(address)) store.urls.push(address)
    else if (isHost(address)) store.hosts.push(address.slice('//'.length))
    else return undefined
  }
  return [...stores].map(([schema, addresses]) => ({ schema, ...addresses }))
}

/** A host name as clients send it: theirs have no other letters than ASCII's, and no dot of the root. */
function asAsked(address: string): string {
  return isHost(address) ? `//${new URL(`http:${address}`).hostname.replace(/\.$/, '')}` : address
}

/** Whether it says where to listen. */
export function isListenUrl(url: string): boolean {
  return /^https?:\/\/[^/?#@]+:\d{1,5}$/.test(url) && URL.canParse(url)
}

function isHost(address: string): boolean {
  return /^\/\/[^/?#@:]+$/.test(address) && URL.canParse(`http:${address}`)
}
