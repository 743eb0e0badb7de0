import { EtcdError } from '../../etcd/errors.ts'
import { LIMITS } from '../../etcd/limits.ts'

/**
 * Refuses a request with too many messages in it, before the rest is read: a small body can hold a million, each of
 * which costs time. Only transactions have lists of messages, so etcd says the same of it, unless it is too large as well.
 */
export function checkMessages(count: number): void {
  if (count > LIMITS.requestMessagesMax) throw EtcdError.of('TooManyOps')
}
