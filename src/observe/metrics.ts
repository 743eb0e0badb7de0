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

/** A number under labels that is read when it is asked for; undefined: it isn't known. */
export interface ReadNumber {
  readonly labels: Readonly<Record<string, string>>
  readonly read: () => number | undefined
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
  readonly #included: { readonly families: readonly Family[]; readonly labels: string }[] = []

  /** Tells of what another registry has, too, though not of what that one includes; `labels` stand before its own. */
  include(other: Metrics, labels: Readonly<Record<string, string>> = {}): void {
    this.#included.push({
      families: other.#families,
      labels: formatLabels(Object.keys(labels), Object.values(labels)),
    })
  }

  /** A number that only grows, one a combination of label values; `labels(...)` gives it, at no cost later. */
  counter(name: string, help: string, labelNames: readonly string[] = []) {
    const cells = new Map<string, Cell>()
    this.#families.push({ name, help, kind: 'counter', samples: () => samplesOf(cells) })
    const make = () => new Cell()
    return { labels: (...values: readonly string[]): Counter => memberOf(cells, labelNames, values, make) }
  }

  /** A number that is read when it is asked for; undefined: it isn't known. */
  gauge(
    name: string,
    help: string,
    read: () => number | undefined,
    labels: Readonly<Record<string, string>> = {},
  ): void {
    this.#read('gauge', name, help, [{ labels, read }])
  }

  /** The same for several numbers of one name. */
  gauges(name: string, help: string, members: readonly ReadNumber[]): void {
    this.#read('gauge', name, help, members)
  }

  /** A number that only grows and is counted elsewhere. */
  counted(name: string, help: string, read: () => number | undefined): void {
    this.#read('counter', name, help, [{ labels: {}, read }])
  }

  /** A distribution over buckets, given by their upper bounds in ascending order. */
  histogram(name: string, help: string, bounds: readonly number[]): Histogram {
    return this.histograms(name, help, bounds, []).labels()
  }

  /** A distribution for each combination of label values; `labels(...)` gives it, at no cost later. */
  histograms(name: string, help: string, bounds: readonly number[], labelNames: readonly string[]) {
    const all = new Map<string, Buckets>()
    const make = () => new Buckets(bounds)
    const samples = function* () {
      for (const [labels, buckets] of all) yield* buckets.samples(labels)
    }
    this.#families.push({ name, help, kind: 'histogram', samples })
    return { labels: (...values: readonly string[]): Histogram => memberOf(all, labelNames, values, make) }
  }

  #read(kind: Kind, name: string, help: string, members: readonly ReadNumber[]): void {
    const texts = members.map(({ labels, read }) => ({
      labels: formatLabels(Object.keys(labels), Object.values(labels)),
      read,
    }))
    const samples = function* () {
      for (const { labels, read } of texts) {
        const value = read()
        if (value !== undefined) yield { suffix: '', labels, value }
      }
    }
    this.#families.push({ name, help, kind, samples })
  }

  /** All metrics as text. What has one name stands together, wherever it comes from. */
  text(): string {
    const byName = new Map<string, string[]>()
    for (const { families, labels: outer } of [{ families: this.#families, labels: '' }, ...this.#included]) {
      for (const { name, help, kind, samples } of families) {
        const lines = byName.get(name) ?? [`# HELP ${name} ${help}`, `# TYPE ${name} ${kind}`]
        byName.set(name, lines)
        for (const { suffix, labels: inner, value } of samples()) {
          const labels = [outer, inner].filter((each) => each !== '').join(',')
          lines.push(`${name}${suffix}${labels === '' ? '' : `{${labels}}`} ${value}`)
        }
      }
    }
    return `${[...byName.values()].flat().join('\n')}\n`
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

  *samples(labels: string) {
    const before = labels === '' ? '' : `${labels},`
    let below = 0
    for (const [at, bound] of this.#bounds.entries()) {
      below += this.#counts[at] ?? 0
      yield { suffix: '_bucket', labels: `${before}le="${bound}"`, value: below }
    }
    yield { suffix: '_bucket', labels: `${before}le="+Inf"`, value: this.#count }
    yield { suffix: '_sum', labels, value: this.#sum }
    yield { suffix: '_count', labels, value: this.#count }
  }
}

function memberOf<T>(
  members: Map<string, T>,
  names: readonly string[],
  values: readonly string[],
  make: () => T,
): T {
  const labels = formatLabels(names, values)
  let member = members.get(labels)
  if (member === undefined) {
    member = make()
    members.set(labels, member)
  }
  return member
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
