import type { EventPage } from '../../store/event-log.ts'
import type { LogReader } from './log-reader.ts'
import type { Watch } from './watch.ts'

/** What reading the past needs of the stream. */
export interface CatchUpOwner {
  readonly signal: AbortSignal
  /** Whether the stream still holds a page that it has not begun to send. */
  holdsHistory(): boolean
  receive(watch: Watch, page: EventPage): void
  broken(error: unknown): void
}

/**
 * Reads the log for those watches of a stream that are behind, by position, a page at a time and in turn. The next page
 * is read when the last one is being sent, so a reader that doesn't read costs one page, however far behind it is.
 */
export class CatchUp {
  private readonly reader: LogReader
  private readonly owner: CatchUpOwner
  private readonly behind = new Set<Watch>()
  private running = false

  constructor(reader: LogReader, owner: CatchUpOwner) {
    this.reader = reader
    this.owner = owner
  }

  get size(): number {
    return this.behind.size
  }

  /** The position of the watch that is furthest behind; undefined: none is. */
  get lowest(): bigint | undefined {
    let lowest: bigint | undefined
    for (const { position } of this.behind) if (lowest === undefined || position < lowest) lowest = position
    return lowest
  }

  add(watch: Watch): void {
    this.behind.add(watch)
    this.proceed()
  }

  remove(watch: Watch): void {
    this.behind.delete(watch)
  }

  /** Goes on, if it can: called when something was sent. */
  proceed(): void {
    if (this.running || !this.mayRead()) return
    this.running = true
    void this.run()
  }

  private mayRead(): boolean {
    return this.behind.size > 0 && !this.owner.signal.aborted && !this.owner.holdsHistory()
  }

  private async run(): Promise<void> {
    try {
      while (this.mayRead()) {
        const [watch] = this.behind
        if (watch !== undefined) await this.readFor(watch)
      }
    } catch (error) {
      if (!this.owner.signal.aborted) this.owner.broken(error)
    } finally {
      this.running = false
    }
  }

  private async readFor(watch: Watch): Promise<void> {
    const { position, range, prevKv } = watch
    const page = await this.reader.readOn({ after: position, range, prevKv }, this.owner.signal)
    // Canceled meanwhile, or to the end of the queue: each watch has its turn.
    if (this.behind.delete(watch)) this.owner.receive(watch, page)
  }
}
