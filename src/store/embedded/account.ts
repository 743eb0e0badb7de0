/**
 * Who PostgreSQL runs as. It refuses to run as root, so a server started by root runs it as somebody else: a
 * numeric user id that no account has. Under an account that exists, `postgres` or `nobody`, every other process
 * of that account could read the data, stop the database or debug it.
 *
 * initdb, unlike PostgreSQL itself, insists on an account's name for its user id. It borrows one.
 */
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

/** The highest id below `nobody` (65534). What is above may not exist in a container's user namespace. */
const UID_MAX = 65_533
/**
 * systemd and Debian's policy both leave 65520 to 65533 to nobody. One for each server that runs at the same time
 * keeps their databases apart; beyond that they share.
 */
const UIDS = 14

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
  const named = new Set(accounts())
  const running = new Set(runningUids())
  const free = mappedIds().filter((id) => !named.has(id))
  const uid = free.find((id) => !running.has(id)) ?? free[0]
  if (uid === undefined)
    throw new EmbeddedError(
      'PostgreSQL refuses to run as root, and there is no other user id in this user namespace ' +
        '(/proc/self/uid_map). Run edgetcd as a plain user, or give a PostgreSQL with --database-url.',
    )
  return { uid, gid: uid }
}

/**
 * What initdb is to run as so that the files can then be given to `account`: itself if it has a name; for root an
 * account that nothing runs under, so that nobody can meddle; for a plain user id without a name, a user namespace
 * in which it has one.
 */
export function initdbAccount(account: Account): InitdbAccount {
  if (account === undefined && hasName()) return { account, prefix: [] }
  const others = accounts().filter((id) => id !== 0)
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

/** The user ids that have an account on this machine. */
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

/** The highest ids up to UID_MAX that this user namespace has, for users and groups alike. */
function mappedIds(): number[] {
  const maps = ['/proc/self/uid_map', '/proc/self/gid_map'].map(readIdMap)
  const ids: number[] = []
  for (let id = UID_MAX; id > 0 && ids.length < UIDS; id--)
    if (maps.every((ranges) => ranges.some(([first, count]) => id >= first && id < first + count)))
      ids.push(id)
  return ids
}

/** The ranges, as [first, count], that a line "inside outside count" each describes. */
export function readIdMap(path: string): [number, number][] {
  if (!existsSync(path)) return [[0, UID_MAX + 1]]
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [inside, , count] = line.trim().split(/\s+/).map(Number)
      return [inside ?? 0, count ?? 0]
    })
}
