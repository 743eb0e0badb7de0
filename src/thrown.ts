/** What was thrown, in its own words. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The errno name of a failed system call (`ENOENT`, …), or undefined for any other error. */
export function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined
}
