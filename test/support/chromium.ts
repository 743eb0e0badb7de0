import { execFileSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { temporaryDir } from './paths.ts'
import { startProcess, waitUntilReady } from './process.ts'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']

/** The browser's program: EDGETCD_CHROMIUM if set, else one of its names on the path; or why there is none. */
export function chromiumBinary(): { readonly path: string } | { readonly missing: string } {
  const given = process.env.EDGETCD_CHROMIUM
  if (given) return { path: given }
  for (const name of NAMES) {
    try {
      return { path: execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim() }
    } catch {
      // The next name.
    }
  }
  return { missing: `there is no ${NAMES.join(', ')} on the path (Debian's package is chromium)` }
}

/** A page that is open in a browser. */
export interface Page {
  /** Runs an expression in the page and gives what it is, or what its promise comes to. Rejects as it does. */
  evaluate<T>(expression: string): Promise<T>
}

export interface Chromium extends AsyncDisposable {
  /** Opens a page; resolves when it has loaded. */
  open(url: string): Promise<Page>
}

/** Starts a headless browser with a profile of its own, and speaks the DevTools protocol to it. */
export async function startChromium(path: string): Promise<Chromium> {
  const profile = temporaryDir('chromium')
  const child = startProcess(
    path,
    [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'],
      ...[`--user-data-dir=${profile}`, '--remote-debugging-port=0', 'about:blank'],
    ],
    { detached: true },
  )
  const address = () => /DevTools listening on ws:\/\/([^/]+)\//.exec(child.output())?.[1]
  await waitUntilReady('Chromium', child, async () => address() !== undefined)
  const sockets: WebSocket[] = []
  return {
    async open(url) {
      const asked = await fetch(`http://${address()}/json/new?about:blank`, { method: 'PUT' })
      const { webSocketDebuggerUrl } = (await asked.json()) as { webSocketDebuggerUrl: string }
      const target = await Target.connect(webSocketDebuggerUrl)
      sockets.push(target.socket)
      await target.navigate(url)
      return target
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.close()
      await child.stopGroup()
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

interface Evaluated {
  readonly result: { readonly value: unknown }
  readonly exceptionDetails?: {
    readonly text: string
    readonly exception?: { readonly description?: string }
  }
}

/** One page's side of the DevTools protocol. */
class Target implements Page {
  readonly socket: WebSocket
  readonly #waiting = new Map<number, (message: Message) => void>()
  #loaded: (() => void) | undefined
  #lastId = 0

  constructor(socket: WebSocket) {
    this.socket = socket
    socket.addEventListener('message', ({ data }) => this.#take(JSON.parse(String(data))))
  }

  static async connect(url: string): Promise<Target> {
    const socket = new WebSocket(url)
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve)
      socket.addEventListener('error', reject)
    })
    return new Target(socket)
  }

  async navigate(url: string): Promise<void> {
    const loaded = new Promise<void>((resolve) => {
      this.#loaded = resolve
    })
    await this.#send('Page.enable', {})
    await this.#send('Page.navigate', { url })
    await loaded
  }

  async evaluate<T>(expression: string): Promise<T> {
    const parameters = { expression, awaitPromise: true, returnByValue: true }
    const { result, exceptionDetails } = (await this.#send('Runtime.evaluate', parameters)) as Evaluated
    if (exceptionDetails === undefined) return result.value as T
    throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
  }

  #send(method: string, params: object): Promise<unknown> {
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) =>
        error ? reject(new Error(error.message)) : resolve(result),
      )
      this.socket.send(JSON.stringify({ id, method, params }))
    })
  }

  #take(message: Message): void {
    if (message.method === 'Page.loadEventFired') this.#loaded?.()
    if (message.id === undefined) return
    this.#waiting.get(message.id)?.(message)
    this.#waiting.delete(message.id)
  }
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly result?: unknown
  readonly error?: { readonly message: string }
}
