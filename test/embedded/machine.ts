/** What a test needs of the machine that runs it, and the words for when it isn't there. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

export const isRoot = process.geteuid?.() === 0

/** A plain user with an account, to be had only by root. */
export const PLAIN_UID = accountOf('nobody') ?? 65_534
/** A user id without an account. */
export const NAMELESS_UID = 54_321
/** Somebody else on the same machine. */
export const STRANGER_UID = 54_322

function accountOf(name: string): number | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((entry) => entry.startsWith(`${name}:`))
  return line === undefined ? undefined : Number(line.split(':')[2])
}

/** Undefined if this process may make mount namespaces and mount in them, else why not. */
export function whyNoMounts(): string | undefined {
  if (!isRoot) return 'needs root'
  const { status } = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt'])
  return status === 0 ? undefined : 'needs unshare, mount and the capability to use them'
}

/** Undefined if a user id without an account may make a user namespace, else why not. */
export function whyNoUserNamespaces(): string | undefined {
  if (!isRoot) return 'needs root'
  const { status } = spawnSync('unshare', ['--user', `--map-user=${PLAIN_UID}`, 'true'], {
    uid: NAMELESS_UID,
    gid: NAMELESS_UID,
  })
  return status === 0 ? undefined : 'needs user namespaces that plain users may make'
}

/** Words that run a command in a mount namespace of its own, after `script` has changed it. */
export function inMountNamespace(script: string): string[] {
  return ['unshare', '--mount', 'sh', '-c', `${script}\nexec "$@"`, 'sh']
}
