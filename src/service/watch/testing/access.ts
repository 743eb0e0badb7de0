import { bytesToString } from '../../../byte-string.ts'
import { EtcdError } from '../../../etcd/errors.ts'
import { type Caller, Refusal } from '../../auth/caller.ts'
import type { Call } from '../../call.ts'
import type { WatchAccess } from '../reader-rights.ts'

/** Rights that a test changes as it likes: by default everybody may read everything. */
export class MemoryAccess implements WatchAccess {
  authVersion = 1n
  /** The first key of a range that may not be read any more. */
  readonly forbidden = new Set<string>()
  /** Fails whoever asks while it is true. */
  isAway = false
  /** What the next one is told instead, once: as by a read of the rights that others had begun before they changed. */
  outdated: Caller | undefined

  async as<T>(_call: Call, work: (caller: Caller) => Promise<T>): Promise<T> {
    return await work(await this.again())
  }

  async again(): Promise<Caller> {
    if (this.isAway) throw EtcdError.of('NoLeader')
    const { outdated } = this
    this.outdated = undefined
    if (outdated !== undefined) return outdated
    const { authVersion } = this
    const forbidden = new Set(this.forbidden)
    const mustRead = (key: Uint8Array) => {
      if (forbidden.has(bytesToString(key))) throw new Refusal('PermissionDenied')
    }
    // The watches ask for nothing else of a caller.
    return { inForce: { authVersion }, mustRead } as unknown as Caller
  }

  observe(authVersion: bigint): void {
    if (authVersion !== this.authVersion) throw new Error(`no rights of version ${authVersion}`)
  }
}
