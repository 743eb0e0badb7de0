import { execFile } from 'node:child_process'
import { existsSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheDir, projectRoot } from '../support/paths.ts'

/** The release of Kubernetes that go.mod names, the name of the programs' directory. */
export const KUBERNETES_VERSION = '1.36.3'

const PACKAGES = {
  'kube-apiserver': 'k8s.io/kubernetes/cmd/kube-apiserver',
  'kube-controller-manager': 'k8s.io/kubernetes/cmd/kube-controller-manager',
  'kube-scheduler': 'k8s.io/kubernetes/cmd/kube-scheduler',
  kubectl: 'k8s.io/kubernetes/cmd/kubectl',
  kwok: 'sigs.k8s.io/kwok/cmd/kwok',
} as const

export type Program = keyof typeof PACKAGES

/** Where each program is. */
export type Programs = Readonly<Record<Program, string>>

const run = promisify(execFile)

/**
 * Kubernetes' programs: those in the directory EDGETCD_KUBERNETES_BIN if set, else built once from the Go module of this
 * directory into node_modules/.cache, which takes up to a quarter of an hour on two cores and about 4 GB.
 */
export async function kubernetesPrograms(): Promise<Programs> {
  const given = process.env.EDGETCD_KUBERNETES_BIN
  const dir = given ?? cacheDir(`kubernetes-${KUBERNETES_VERSION}`)
  const programs = Object.keys(PACKAGES) as Program[]
  for (const program of programs) {
    const path = join(dir, program)
    if (existsSync(path)) continue
    if (given) throw new Error(`EDGETCD_KUBERNETES_BIN has no ${program}`)
    console.log(`     building ${program} ${program === 'kwok' ? '' : KUBERNETES_VERSION}`)
    await build(PACKAGES[program], path)
  }
  return Object.fromEntries(programs.map((program) => [program, join(dir, program)])) as Programs
}

async function build(goPackage: string, path: string): Promise<void> {
  const cwd = join(projectRoot, 'test/kubernetes')
  try {
    await run('go', ['build', '-o', `${path}.new`, goPackage], { cwd })
  } catch (error) {
    throw new Error(`${goPackage} can't be built here: it takes Go and the way to its modules`, {
      cause: error,
    })
  }
  renameSync(`${path}.new`, path)
}
