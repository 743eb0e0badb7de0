import { LIMITS } from '../etcd/limits.ts'

/** A read is tried twice, and both tries fit into the time of a request. */
export const READ_TIMEOUT_MS = LIMITS.requestTimeoutMs / 2
/** Large ranges and pages of history may take longer than a request is given. */
export const LONG_TIMEOUT_MS = 120_000
