import type { Api } from './api.ts'
import { type Check, type Cluster, expect, median } from './check.ts'

const WRITES = 20
const CONFIG_MAPS = '/api/v1/namespaces/default/configmaps'

/** What a consistent list right after a write may take: the apiserver waits for its cache, at etcd up to 100 ms. */
export const LIST_AFTER_WRITE_MS_MAX = 150

/** That a list shows what was written just before, wherever it was. */
export const CONSISTENCY_CHECKS: readonly Check[] = [
  { name: 'a list shows the write before it', run: ({ api }: Cluster) => listsAfterWrites(api, api, 'here') },
  {
    name: 'so does one of another apiserver, on another edgetcd',
    run: ({ api, elsewhere }: Cluster) => listsAfterWrites(api, elsewhere, 'elsewhere'),
  },
]

async function listsAfterWrites(writer: Api, reader: Api, name: string): Promise<string> {
  await writer.create(CONFIG_MAPS, { metadata: { name } })
  const times: number[] = []
  for (let n = 0; n < WRITES; n++) {
    const { metadata } = await writer.patch(`${CONFIG_MAPS}/${name}`, { data: { n: String(n) } })
    const started = performance.now()
    const { items } = await reader.list(CONFIG_MAPS)
    times.push(performance.now() - started)
    const seen = items.find((item) => item.metadata.name === name)?.metadata.resourceVersion
    expect(seen === metadata.resourceVersion, `${metadata.resourceVersion} was written, the list has ${seen}`)
  }
  const ms = Math.round(median(times))
  expect(ms <= LIST_AFTER_WRITE_MS_MAX, `the median list took ${ms} ms`)
  return `${ms} ms, ${WRITES} of ${WRITES}`
}
