/** An event as a browser dispatches it. */
export interface ReceivedEvent {
  readonly name: string
  readonly data: string
  /** The last id so far, of this event or an earlier one. */
  readonly lastEventId: string
}

/** Reads an event stream by the rules of the HTML standard: what is not complete when it breaks off never happened. */
export class EventReader {
  /** What the next connection says in Last-Event-ID; empty: nothing. */
  lastEventId: string
  retryMs: number | undefined
  /** How many comments came. */
  comments = 0
  #rest = ''
  #id: string
  #name = ''
  #data: string[] = []

  constructor(lastEventId = '') {
    this.lastEventId = lastEventId
    this.#id = lastEventId
  }

  /** Takes the next piece of text, cut anywhere, and gives the events that it completes. */
  push(text: string): ReceivedEvent[] {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    return lines.flatMap((line) => this.#line(line) ?? [])
  }

  #line(line: string): ReceivedEvent | undefined {
    if (line === '') return this.#dispatch()
    const [, name = '', value = ''] = /^([^:]*):? ?(.*)$/.exec(line) ?? []
    if (name === '') this.comments++
    else if (name === 'id') this.#id = value
    else if (name === 'event') this.#name = value
    else if (name === 'data') this.#data.push(value)
    else if (name === 'retry') this.retryMs = Number(value)
    else throw new Error(`no field of an event: ${line}`)
    return undefined
  }

  #dispatch(): ReceivedEvent | undefined {
    this.lastEventId = this.#id
    const event = { name: this.#name || 'message', data: this.#data.join('\n'), lastEventId: this.#id }
    const isOne = this.#data.length > 0
    this.#name = ''
    this.#data = []
    return isOne ? event : undefined
  }
}
