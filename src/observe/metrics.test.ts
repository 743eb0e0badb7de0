import { expect, it } from 'vitest'
import { createLog } from './log.ts'
import { Metrics } from './metrics.ts'

it('writes counters, gauges and histograms as Prometheus reads them', () => {
  const metrics = new Metrics()
  const requests = metrics.counter('requests_total', 'Requests.', ['code', 'path'])
  requests.labels('OK', '/a').add(1)
  requests.labels('OK', '/a').add(2)
  requests.labels('OK', 'quo"te\\\n').add(1)
  let watchers = 3
  metrics.gauge('watchers', 'Watchers.', () => watchers)
  metrics.gauge('build_info', 'Build.', () => 1, { version: '1.2.3' })
  const sizes = metrics.histogram('batch', 'Batch sizes.', [1, 2, 4])
  for (const size of [1, 2, 2, 4, 9]) sizes.observe(size)
  metrics.histograms('took', 'Seconds.', [1], ['method']).labels('Put').observe(0.5)
  metrics.gauges('waiting', 'Waiting.', [
    { labels: { kind: 'a' }, read: () => 1 },
    { labels: { kind: 'b' }, read: () => undefined },
  ])
  metrics.counted('events_total', 'Events.', () => 7)
  watchers = 4
  expect(metrics.text()).toBe(
    [
      '# HELP requests_total Requests.',
      '# TYPE requests_total counter',
      'requests_total{code="OK",path="/a"} 3',
      'requests_total{code="OK",path="quo\\"te\\\\\\n"} 1',
      '# HELP watchers Watchers.',
      '# TYPE watchers gauge',
      'watchers 4',
      '# HELP build_info Build.',
      '# TYPE build_info gauge',
      'build_info{version="1.2.3"} 1',
      '# HELP batch Batch sizes.',
      '# TYPE batch histogram',
      'batch_bucket{le="1"} 1',
      'batch_bucket{le="2"} 3',
      'batch_bucket{le="4"} 4',
      'batch_bucket{le="+Inf"} 5',
      'batch_sum 18',
      'batch_count 5',
      '# HELP took Seconds.',
      '# TYPE took histogram',
      'took_bucket{method="Put",le="1"} 1',
      'took_bucket{method="Put",le="+Inf"} 1',
      'took_sum{method="Put"} 0.5',
      'took_count{method="Put"} 1',
      '# HELP waiting Waiting.',
      '# TYPE waiting gauge',
      'waiting{kind="a"} 1',
      '# HELP events_total Events.',
      '# TYPE events_total counter',
      'events_total 7',
      '',
    ].join('\n'),
  )
})

it('logs JSON lines at or above the threshold', () => {
  const lines: string[] = []
  const log = createLog('warn', (line) => lines.push(line))
  log('info', 'unheard')
  log('error', 'heard', { revision: 5n, error: new TypeError('why') })
  expect(lines).toHaveLength(1)
  const line = JSON.parse(lines[0] ?? '')
  expect(line).toMatchObject({ level: 'error', msg: 'heard', revision: '5' })
  expect(line.error).toContain('TypeError: why')
})
