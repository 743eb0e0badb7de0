import { join } from 'node:path'
import { ETCD_VERSION } from './etcd.ts'
import { buildOwn, buildReleased, type GoProgram } from './go.ts'
import { projectRoot } from './paths.ts'

/** The etcdctl binary: EDGETCD_ETCDCTL_BINARY if set, else built once from its Go module. */
export async function etcdctlBinary(): Promise<GoProgram> {
  const given = process.env.EDGETCD_ETCDCTL_BINARY
  if (given) return { path: given }
  return await buildReleased('etcdctl', 'go.etcd.io/etcd/etcdctl/v3', ETCD_VERSION)
}

/** The program on etcd's Go client (test/clients/clientv3). */
export async function clientv3Program(): Promise<GoProgram> {
  return await buildOwn('clientv3', join(projectRoot, 'test/clients/clientv3'))
}
