/** What of Cloudflare's runtime module is used, as its documentation has it. */
declare module 'cloudflare:workers' {
  export class DurableObject<Bindings> {
    constructor(state: unknown, bindings: Bindings)
    protected readonly env: Bindings
  }
}
