import type { Config } from '../config/config.ts'
import { EDGETCD_VERSION, ETCD_VERSION } from '../version.ts'
import { firstCall } from './first-call.ts'

/** Says something to whoever started the program: to people, or with `--json` to programs. */
export type Say = (text: string, facts: Readonly<Record<string, unknown>>) => void

export interface Ready {
  /** Where it listens, for clients and for whoever scrapes its metrics alone. */
  readonly clients: readonly string[]
  readonly metrics: readonly string[]
  /** Where clients find each store, where there are several. */
  readonly stores: readonly { readonly name: string; readonly urls: readonly string[] }[]
  readonly location: string
}

/** Says that a server is there, and where. */
export function sayReady({ clients, metrics, stores, location }: Ready, config: Config, say: Say): void {
  const ignored = config.ignoredFlags
  const meaning = ignored.length === 1 ? 'it means nothing here' : 'they mean nothing here'
  const curl = stores.length === 0 ? firstCall(clients, config) : undefined
  const lines = [
    `edgetcd ${EDGETCD_VERSION} serves the API of etcd ${ETCD_VERSION}`,
    '',
    `  listening on  ${clients.join(', ')}`,
    ...(metrics.length > 0 ? [`  metrics on    ${metrics.join(', ')}`] : []),
    ...stores.map(({ name, urls }) => `  store         ${name} at ${urls.join(', ')}`),
    `  data in       ${location}`,
    ...(ignored.length > 0 ? [`  ignored       ${ignored.join(', ')}: ${meaning}`] : []),
    ...(curl === undefined ? [] : [`  try           ${curl}`]),
    '',
  ]
  const several = stores.length > 0 ? { stores } : {}
  say(lines.join('\n'), { event: 'ready', listening: clients, metrics, ...several, data: location, ignored })
}
