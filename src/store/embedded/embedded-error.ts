import { errorCode } from '../../thrown.ts'

/**
 * Why the embedded PostgreSQL can't start or go on. The message is for the operator: what is wrong, where, and
 * what to do next; it needs no stack trace beside it.
 */
export class EmbeddedError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'EmbeddedError'
  }
}

/**
 * Runs `action` and gives its result, or undefined when it failed with one of `codes`: for what another process
 * may have done first (a file already removed, a directory already made).
 */
export async function unless<T>(codes: readonly string[], action: Promise<T>): Promise<T | undefined> {
  try {
    return await action
  } catch (error) {
    if (codes.includes(errorCode(error) ?? '')) return undefined
    throw error
  }
}
