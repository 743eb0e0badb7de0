import { expect, it } from 'vitest'
import { projectRoot } from '../support/paths.ts'
import { startProcess } from '../support/process.ts'

it("the Worker's bundle is small, and `npm run build:worker` says how small and how quick", async () => {
  const build = startProcess('npm', ['run', '--silent', 'build:worker'], { cwd: projectRoot })
  await build.exited
  const [, compressedKb] = /^size: [\d.]+ KB, compressed ([\d.]+) KB/m.exec(build.output()) ?? []
  expect(Number(compressedKb), build.output()).toBeLessThan(300)
  // How quick it is depends on the machine, and on whatever else it does now.
  expect(build.output()).toMatch(/^start-up: -?[\d.]+ ms in workerd/m)
})
