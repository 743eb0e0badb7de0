/** What Go's URL parser refuses anywhere: a control character, or a percent sign without two hexadecimal digits. */
const UNPARSABLE = /\p{Cc}|%(?![0-9a-fA-F]{2})/u
/** `http://HOST:PORT` with an optional user, query and fragment, but no path. Host and port may be empty. */
const HTTP = /^https?:\/\/(?:[^/?#]*@)?(?:\[[^\][/?#@\s]*\]|[^:/?#@\s[\]^`{}|\\%]*):\d*(?:[?#].*)?$/i
const UNIX = /^unixs?:/i

/** Whether etcd takes these as a member's peer URLs: at least one, each a host and port, or a Unix socket. */
export function arePeerUrls(urls: readonly string[]): boolean {
  return urls.length > 0 && urls.map((url) => url.trim()).every(isPeerUrl)
}

function isPeerUrl(url: string): boolean {
  return !UNPARSABLE.test(url) && (HTTP.test(url) || UNIX.test(url))
}
