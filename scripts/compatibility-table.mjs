// Writes the table of what is implemented into README.md, between its two markers, from the results that the last
// `npm run conformance` left in node_modules/.cache/conformance. So the table can't claim what no run has shown.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { DEPLOYMENTS } from '../test/conformance/deployments.ts'
import { IMPLEMENTED_GROUPS } from '../test/conformance/groups.ts'

const BEGIN = '<!-- compatibility: begin -->'
const END = '<!-- compatibility: end -->'
const TITLES = {
  'kv-range': 'Range',
  'kv-put': 'Put',
  'kv-delete': 'DeleteRange',
  txn: 'Txn',
  compaction: 'Compact, hashes',
  lease: 'Leases',
  'watch-stream': 'Watch',
  errors: 'Errors',
  'proto3-json': 'JSON mapping',
  http: 'HTTP paths, methods, headers',
  auth: 'Auth',
  lock: 'Lock',
  election: 'Election',
  cluster: 'Cluster',
  maintenance: 'Maintenance',
}

const results = DEPLOYMENTS.map(({ name }) => {
  const path = new URL(`../node_modules/.cache/conformance/${name}.json`, import.meta.url)
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : {}
})

/** The steps of a group that passed, of all: `212 of 212`; a dash where no run has shown anything. */
function cell(result, group) {
  const count = result[group]
  const all = count === undefined ? 0 : count.passed + count.failed + count.known
  return all === 0 ? '–' : `${count.passed} of ${all}`
}

const rows = [
  ['', ...DEPLOYMENTS.map(({ title }) => title)],
  ['---', ...DEPLOYMENTS.map(() => '---')],
  ...IMPLEMENTED_GROUPS.map((group) => [TITLES[group], ...results.map((result) => cell(result, group))]),
]
const table = rows.map((row) => `| ${row.join(' | ')} |`).join('\n')

const path = new URL('../README.md', import.meta.url)
const readme = readFileSync(path, 'utf8')
const begin = readme.indexOf(BEGIN)
const end = readme.indexOf(END)
if (begin < 0 || end < begin) throw new Error(`README.md has no ${BEGIN} … ${END}`)
writeFileSync(path, `${readme.slice(0, begin + BEGIN.length)}\n${table}\n${readme.slice(end)}`)
