/**
 * Counters, gauges and histograms of one process, in Prometheus' text format 0.0.4. Label values are given in the
 * order in which the metric names its labels.
 */
export const METRICS_CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8; escaping=underscores'

type Kind = 'counter' | 'gauge' | 'histogram'

interface Family {
  readonly name: string
  readonly help: string
  readonly kind: Kind
  /** The lines below the heading, without the name: a suffix, labels and the value. */
  samples(): Iterable<{ suffix: string; labels: string; value: number }>
}

export interface Counter {
  add(amount: number): void
}

export interface Histogram {
  observe(value: number): void
}

/** A registry. Metrics appear in the order in which they were made. */
export class Metrics {
  readonly #families: Family[] = []

  /** A number that only grows, one a combination of label values; `labels(...)` gives it, at no cost later. */
  counter(name: string, help: string, labelNames: readonly string[] = []) {
    const cells = new Map<string, Cell>()
    this.#families.push({ name, help, kind: 'counter', samples: () => samplesOf(cells) })
    return { labels: (...values: readonly string[]): Counter => cellOf(cells, labelNames, values) }
  }

  /** A number that is read when it is asked for. */
  gauge(name: string, help: string, read: () => number, labels: Readonly<Record<string, string>> = {}): void {
    const text = formatLabels(Object.keys(labels), Object.values(labels))
    const samples = () => [{ suffix: '', labels: text, value: read() }]
    this.#families.push({ name, help, kind: 'gauge', samples })
  }

  /** A distribution over buckets, given by their upper bounds in ascending order. */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    const buckets = new Buckets(bounds)
    this.#families.push({ name, help, kind: 'histogram', samples: () => buckets.samples() })
    return buckets
  }

  /** All metrics as text. */
  text(): string {
    const lines: string[] = []
    for (const { name, help, kind, samples } of this.#families) {
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`)
      for (const { suffix, labels, value } of samples()) {
        lines.push(`${name}${suffix}${labels === '' ? '' : `{${labels}}`} ${value}`)
      }
    }
    return `${lines.join('\n')}\n`
  }
}

class Cell implements Counter {
  value = 0

  add(amount: number): void {
    this.value += amount
  }
}

class Buckets implements Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  #sum = 0
  #count = 0

  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = bounds.map(() => 0)
  }

  observe(value: number): void {
    this.#sum += value
    this.#count += 1
    const at = this.#bounds.findIndex((bound) => value <= bound)
    if (at >= 0) this.#counts[at] = (this.#counts[at] ?? 0) + 1
  }

  *samples() {
    let below = 0
    for (const [at, bound] of this.#bounds.entries()) {
      below += this.#counts[at] ?? 0
      yield { suffix: '_bucket', labels: `le="${bound}"`, value: below }
    }
    yield { suffix: '_bucket', labels: 'le="+Inf"', value: this.#count }
    yield { suffix: '_sum', labels: '', value: this.#sum }
    yield { suffix: '_count', labels: '', value: this.#count }
  }
}

function cellOf(cells: Map<string, Cell>, names: readonly string[], values: readonly string[]): Cell {
  const labels = formatLabels(names, values)
  let cell = cells.get(labels)
  if (cell === undefined) {
    cell = new Cell()
    cells.set(labels, cell)
  }
  return cell
}

function* samplesOf(cells: ReadonlyMap<string, Cell>) {
  for (const [labels, { value }] of cells) yield { suffix: '', labels, value }
}

function formatLabels(names: readonly string[], values: readonly string[]): string {
  return names.map((name, at) => `${name}="${escapeLabel(values[at] ?? '')}"`).join(',')
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
