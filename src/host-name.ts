/** The name in a Host header or an authority, as Go splits a host and its port: what can't be split is the name as it is. */
export function hostName(host: string): string {
  const [, bracketed, name] = /^(?:\[([^[\]]*)\]|([^:[\]]*)):[^:[\]]*$/.exec(host) ?? []
  return bracketed ?? name ?? host
}

/** The name by which one of several etcds is asked for: capitals, the port and the dot of the root don't matter. */
export function storeHostName(host: string): string {
  return hostName(host).toLowerCase().replace(/\.$/, '')
}
