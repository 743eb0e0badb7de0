import { etcdBinary } from './etcd.ts'

/** Vitest's global setup: has etcd built before the tests that need it, once for all of them. */
export default async function setup(): Promise<void> {
  await etcdBinary()
}
