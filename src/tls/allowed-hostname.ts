import type { X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'

/**
 * Whether a client's certificate is for one of these hosts, as Go tells it for `--client-cert-allowed-hostname`: by its
 * alternative names alone, where `*.` stands for one label; an address must be among its addresses.
 */
export function isAllowed(certificate: X509Certificate, hostnames: readonly string[]): boolean {
  return hostnames.some((hostname) => {
    if (isIP(hostname) !== 0) return certificate.checkIP(hostname) !== undefined
    return certificate.checkHost(hostname, { subject: 'never', partialWildcards: false }) !== undefined
  })
}
