/**
 * Who PostgreSQL runs as. It refuses to run as root, so a server started by root runs it as somebody else: a
 * numeric user id that no account has. Under an account that exists, `postgres` or `nobody`, every other process
 * of that account could read the data, stop the database or debug it.
 *
 * initdb, unlike PostgreSQL itself, insists on an account's name for its user id. It borrows one.
 */
import { spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { userInfo } from 'node:os'
import { EmbeddedError } from './embedded-error.ts'

/** Undefined stands for the account of this process. */
export type Account = Readonly<{ uid: number; gid: number }> | undefined

/** What initdb runs as, and the words to put before its command. */
export interface InitdbAccount {
  readonly account: Account
  readonly prefix: readonly string[]
}

/**
 * Where to look for an id, best first. systemd and the tools that hand out ranges to containers all leave 65,536 to
 * 99,999 alone: room enough that each database has, in all likelihood, an id of its own. A container often has no
 * ids that high; of those below, systemd and Debian's policy leave the last before `nobody`.
 */
const RANGES: readonly { first: number; count: number }[] = [
  { first: 65_536, count: 34_464 },
  { first: 65_520, count: 14 },
  { first: 1, count: 65_519 },
]

/** How often another id is tried when a directory service has an account with the one that was drawn. */
const ATTEMPTS_MAX = 20

/**
 * The account for a database whose directory belongs to `owner` (undefined: not made yet). A directory keeps its
 * account for ever, except that root's own (restored from a backup, say) gets one.
 *
 * Fails with an EmbeddedError when this process can't become it.
 */
export function chooseAccount(directory: string, owner: { uid: number; gid: number } | undefined): Account {
  const uid = process.geteuid?.() ?? 0
  if (uid === 0)
    return owner === undefined || owner.uid === 0 ? unusedAccount() : { uid: owner.uid, gid: owner.gid }
  if (owner === undefined || owner.uid === uid) return undefined
  throw new EmbeddedError(
    `${directory} belongs to user id ${owner.uid}, and this is user id ${uid}. Run edgetcd as the user who made ` +
      `it (root, if no account has that id), or choose another directory with --data-dir. Nothing was changed.`,
  )
}

function unusedAccount(): Account {
  const taken = new Set([...accounts(), ...runningUids()])
  const exists = existingIds()
  for (const { first, count } of RANGES) {
    const all = Array.from({ length: count }, (_, i) => first + i)
    const free = all.filter((id) => exists(id) && !taken.has(id))
    for (let attempt = 0; attempt < Math.min(free.length, ATTEMPTS_MAX); attempt++) {
      const uid = free[randomInt(free.length)]
      if (uid !== undefined && !isDirectoryServiceAccount(uid)) return { uid, gid: uid }
    }
  }
  throw new EmbeddedError(
    'PostgreSQL refuses to run as root, and there is no other user id in this user namespace ' +
      '(/proc/self/uid_map). Run edgetcd as a plain user, or give a PostgreSQL with --database-url.',
  )
}

/** Whether LDAP or the like has an account with this id, as far as the system can be asked. */
function isDirectoryServiceAccount(uid: number): boolean {
  return spawnSync('id', ['-un', String(uid)], { stdio: 'ignore' }).status === 0
}

/**
 * What initdb is to run as so that the files can then be given to `account`: itself if it has a name; for root an
 * account that nothing runs under, so that nobody can meddle; for a plain user id without a name, a user namespace
 * in which it has one.
 */
export function initdbAccount(account: Account): InitdbAccount {
  if (account === undefined && hasName()) return { account, prefix: [] }
  const exists = existingIds()
  const others = accounts().filter((id) => id !== 0 && exists(id))
  if (account !== undefined) {
    const running = new Set(runningUids())
    const lender = others.find((id) => !running.has(id)) ?? others[0]
    if (lender !== undefined) return { account: { uid: lender, gid: lender }, prefix: [] }
  }
  const unshare = ['/usr/bin/unshare', '/bin/unshare'].find((path) => existsSync(path))
  if (unshare !== undefined && others[0] !== undefined)
    return { account, prefix: [unshare, '--user', `--map-user=${others[0]}`] }
  throw new EmbeddedError(
    `PostgreSQL's initdb works only under an account with a name, and in /etc/passwd there is none for user id ` +
      `${process.geteuid?.()} to use (root itself doesn't count). Add an account, or give a PostgreSQL with --database-url.`,
  )
}

function hasName(): boolean {
  try {
    userInfo()
    return true
  } catch {
    return false
  }
}

/** The user ids that have an account of this machine's own. */
function accounts(): number[] {
  if (!existsSync('/etc/passwd')) return []
  return readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => Number(line.split(':')[2] || Number.NaN))
    .filter((id) => Number.isInteger(id) && id >= 0)
}

/** The user ids that processes run under, where the system tells. */
function runningUids(): number[] {
  if (!existsSync('/proc/self')) return []
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      const uid = statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid
      return uid === undefined ? [] : [uid]
    })
}

/** Whether an id, of a user and of a group, exists in this user namespace. */
function existingIds(): (id: number) => boolean {
  const maps = ['/proc/self/uid_map', '/proc/self/gid_map'].map(readIdMap)
  return (id) => maps.every((ranges) => ranges.some(([first, count]) => id >= first && id < first + count))
}

/** The ranges, as [first, count], that a line "inside outside count" each describes. */
export function readIdMap(path: string): [number, number][] {
  if (!existsSync(path)) return [[0, 2 ** 32]]
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [inside, , count] = line.trim().split(/\s+/).map(Number)
      return [inside ?? 0, count ?? 0]
    })
}
