// What the test's page does, with nothing but what browsers have. The test calls `page`.

const base64 = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)))
const text = (base64) => new TextDecoder().decode(Uint8Array.from(atob(base64), (c) => c.charCodeAt(0)))
const show = ({ type = 'PUT', kv }) => `${type} ${text(kv.key)}=${text(kv.value ?? '')}@${kv.mod_revision}`

globalThis.page = {
  /** The changes that each way of watching has seen. */
  seen: { fetch: [], events: [] },
  /** How often each way connected. */
  connections: { fetch: 0, events: 0 },

  /** Calls an RPC; gives the status and the body. */
  async call(server, path, body, token) {
    const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: token }) }
    const response = await fetch(server + path, { method: 'POST', headers, body: JSON.stringify(body) })
    return { status: response.status, body: await response.json() }
  },

  put(server, key, value, token) {
    return this.call(server, '/v3/kv/put', { key: base64(key), value: base64(value) }, token)
  },

  /** Puts a key by the plain HTTP view, only if there is none yet; gives the status and the tag. */
  async create(server, key, value, token) {
    const headers = { Authorization: token, 'If-None-Match': '*' }
    const response = await fetch(`${server}/keys/${key}`, { method: 'PUT', headers, body: value })
    return { status: response.status, etag: response.headers.get('ETag') }
  },

  /** Watches all keys from `key` to `range_end` by reading the body of an answer, for ever. */
  async watchByFetch(server, key, range_end, token) {
    for (let start_revision = 0; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
      try {
        const create_request = { key, range_end, start_revision }
        const response = await fetch(`${server}/v3/watch`, {
          method: 'POST',
          headers: { Authorization: token },
          body: JSON.stringify({ create_request }),
        })
        let rest = ''
        for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
          const lines = (rest + chunk).split('\n')
          rest = lines.pop()
          for (const { result } of lines.map((line) => JSON.parse(line))) {
            if (result.created) this.connections.fetch++
            this.seen.fetch.push(...(result.events ?? []).map(show))
            if (result.events || start_revision === 0) start_revision = Number(result.header.revision) + 1
          }
        }
      } catch {
        // The server went away; it is asked again.
      }
    }
  },

  /** The same by server-sent events, which come back by themselves. Resolves when the first connection is there. */
  watchByEvents(server, key, range_end, access_token) {
    const query = new URLSearchParams({ key, range_end, access_token })
    const source = new EventSource(`${server}/v3/watch?${query}`)
    source.onmessage = ({ data }) => this.seen.events.push(...JSON.parse(data).events.map(show))
    return new Promise((resolve) => {
      source.addEventListener('created', () => {
        this.connections.events++
        resolve()
      })
    })
  },

  /** Opens an event stream, and gives the names of what came before the browser gave it up. */
  eventsUntilClosed(server, query) {
    const names = []
    const source = new EventSource(`${server}/v3/watch?${query}`)
    for (const name of ['created', 'compacted', 'failed', 'message']) {
      source.addEventListener(name, () => names.push(name))
    }
    return new Promise((resolve) => {
      source.onerror = () => {
        if (source.readyState === EventSource.CLOSED) resolve(names)
      }
    })
  },
}
