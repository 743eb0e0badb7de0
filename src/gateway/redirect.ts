import { type Answer, empty } from './answer.ts'

/** Sends the client to the clean form of its path, with the short page that Go's redirect has for GET. */
export function redirect(location: string, method: string): Answer {
  const escaped = location.replace(/[^\x21-\x5b\x5d-\x7e]/gu, encodeURIComponent)
  const headers = { Location: escaped }
  if (method !== 'GET' && method !== 'HEAD') return empty(307, headers)
  const body = `<a href="${escapeHtml(escaped)}">Temporary Redirect</a>.\n\n`
  return { status: 307, headers: { ...headers, 'Content-Type': 'text/html; charset=utf-8' }, body }
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
