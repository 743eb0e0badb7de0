import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Why certificates can't be made here; undefined where they can. */
export const opensslMissing = (() => {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' })
    return undefined
  } catch {
    return 'there is no openssl on this machine'
  }
})()

/** The files of one certificate. */
export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
}

/** An authority of a test's own, in a directory that is removed with it. */
export interface Authority extends Disposable {
  readonly directory: string
  readonly caFile: string
  /** A certificate for `names` (`DNS:localhost`, `IP:127.0.0.1`); its files are named after `name`. */
  issue(name: string, ...names: string[]): CertificateFiles
  /** Writes the list of what was revoked so far, these included; gives its file. */
  revoke(...certificates: CertificateFiles[]): string
}

export function makeAuthority(): Authority {
  const directory = mkdtempSync(join(tmpdir(), 'edgetcd-tls-'))
  const file = (name: string) => join(directory, name)
  const openssl = (...args: string[]) => execFileSync('openssl', args, { cwd: directory, stdio: 'pipe' })
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const ca = ['-config', 'ca.cnf', '-cert', 'ca.crt', '-keyfile', 'ca.key', '-md', 'sha256']
  writeFileSync(
    file('ca.cnf'),
    '[ca]\ndefault_ca = own\n[own]\ndatabase = index.txt\ncrlnumber = crlnumber\ndefault_crl_days = 1\n',
  )
  writeFileSync(file('index.txt'), '')
  writeFileSync(file('crlnumber'), '01\n')
  openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-subj',
    '/CN=authority',
    '-days',
    '2',
  )
  return {
    directory,
    caFile: file('ca.crt'),
    issue(name, ...names) {
      writeFileSync(file('names.cnf'), names.length === 0 ? '' : `subjectAltName = ${names.join(', ')}\n`)
      openssl('req', ...key, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
      const signer = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2']
      openssl('x509', '-req', '-in', `${name}.csr`, ...signer, '-extfile', 'names.cnf', '-out', `${name}.crt`)
      return { certFile: file(`${name}.crt`), keyFile: file(`${name}.key`) }
    },
    revoke(...certificates) {
      for (const { certFile } of certificates) openssl('ca', ...ca, '-revoke', certFile)
      openssl('ca', ...ca, '-gencrl', '-out', 'revoked.crl')
      return file('revoked.crl')
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  }
}
