import { errorCode, errorText } from './thrown.ts'

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  EACCES: 'this account may not use it',
  EISDIR: 'it is a directory',
  ENOTDIR: 'what should be a directory on its way is none',
}

/** Why a file couldn't be opened, for whoever named it and is told its path, too: the system's error in words. */
export function fileErrorReason(error: unknown): string {
  return REASONS[errorCode(error) ?? ''] ?? errorText(error)
}
