import { clientv3Program, etcdctlBinary } from './go-clients.ts'

/** Vitest's global setup: has the clients built that are written in Go, before the tests that need them. */
export default async function setup(): Promise<void> {
  await etcdctlBinary()
  await clientv3Program()
}
