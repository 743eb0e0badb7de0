/** Whether an Accept header names a media type itself; `*` and `/*` don't. */
export function namesMediaType(accept: string | undefined, mediaType: string): boolean {
  // Most name none, and they are many.
  if (accept === undefined || !accept.toLowerCase().includes(mediaType)) return false
  return accept.split(',').some((range) => range.split(';', 1)[0]?.trim().toLowerCase() === mediaType)
}
