/** What of a namespace of Durable Objects is used, as Cloudflare's documentation has it. */
export interface ObjectNamespace {
  idFromName(name: string): unknown
  get(id: unknown): unknown
}

/** The bindings of wrangler.toml: where the database is, and the settings by the names of their environment variables. */
export interface Bindings {
  readonly HYPERDRIVE?: { readonly connectionString: string }
  readonly COORDINATOR?: ObjectNamespace
  /** A Neon database, used without a Hyperdrive. */
  readonly DATABASE_URL?: string
  /** The URL of a proxy that speaks Neon's protocol, to be asked instead of Neon. */
  readonly NEON_PROXY?: string
  /** How many subrequests a request may make. */
  readonly SUBREQUESTS_MAX?: unknown
  readonly [setting: string]: unknown
}
