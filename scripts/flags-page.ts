// Writes docs/flags.md from the tables that the program itself reads its settings by: `npm run flags-page`.
import { writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { ETCD_FLAGS, OLD_NAMES } from '../src/config/etcd-flags.ts'
import { SETTING_GROUPS } from '../src/config/setting-table.ts'
import { isOurs, variableOf } from '../src/config/sources.ts'

/** The page as text. */
export function flagsPage(): string {
  const flags = Object.entries(ETCD_FLAGS)
  const refused = flags.flatMap(([name, { why, refuses }]) =>
    refuses === undefined ? [] : [`| \`--${name}\` | ${refuses.when} | ${why} |`],
  )
  const ignored = flags.flatMap(([name, { why, refuses }]) =>
    refuses === undefined ? [`| \`--${name}\` | ${why} |`] : [],
  )
  const meant = Object.entries(SETTING_GROUPS).flatMap(([title, settings]) => [
    `| **${title}** | | |`,
    ...Object.entries(settings).map(([name, [value, help]]) => {
      const flag = `--${name} ${value}`.trimEnd()
      return `| \`${flag}\` | ${isOurs(name) ? '' : 'as in etcd'} | ${help.replaceAll('|', '\\|')} |`
    }),
  ])
  return `# Flags

<!-- Written by npm run flags-page. -->

\`edgetcd serve\` takes the flags of etcd 3.6.16, its \`ETCD_*\` variables and its configuration files: each of them is in one
of the three tables below. They are written as etcd's: one dash or two, \`--name value\` or \`--name=value\`, a switch alone or
with \`=false\`.

- A flag goes before its variable (\`--data-dir\` is \`${variableOf('data-dir')}\`), and a variable before the default. Where both are given,
  etcd 3.6 refuses to start; edgetcd takes the flag and says so. A variable that no flag has is named in a warning, without its
  value.
- With \`--config-file\` (YAML, as etcd's, TLS in its blocks \`client-transport-security\` and \`peer-transport-security\`) nothing
  else counts, as in etcd; what was given besides is named in a warning. Only what etcd doesn't have (\`--database-url\`, say) is
  taken from flags and variables, too.
- An empty value counts as none, as in etcd. One that says where the data is (\`--database-url\`, \`--schema\`, \`--store\`, \`--data-dir\`) is an
  error: an unset variable in a script must not start a server on an empty store. For the same reason the server doesn't start
  with a name in its configuration file that isn't known (etcd passes over it; edgetcd only over those that older versions of etcd
  knew, with a warning), nor when npm kept flags for itself (\`npm start --data-dir x\` without \`--\`).
- A Worker takes the same settings, as variables of \`wrangler.toml\` or secrets.

## What they do

${table(['flag', '', 'what for (default)'], meant)}

What differs from etcd:

- Both \`--listen-client-urls\` and \`--listen-client-http-urls\` are served by gRPC and by HTTP; with the second, etcd serves the first
  by gRPC alone.
- \`--trusted-ca-file\` makes client certificates required, with \`--client-cert-auth\` or without, as in etcd. Where
  \`--client-cert-auth\` would protect nothing (no https URL, no \`--trusted-ca-file\`), the server doesn't start.
- Certificate, key, authorities and revocation list are read again when their files change, for new connections. etcd does
  so with the first two and the last.
- \`--client-crl-file\` (PEM or DER) is checked as OpenSSL does it: its signature and dates count, and each authority between the
  client and the root needs one. etcd compares serial numbers alone.
- \`--cipher-suites\` knows etcd's names but for RC4 and 3DES, which OpenSSL doesn't have any more.
- \`--auth-token simple\` tokens are signed, so that any server on the database can check them. They live for
  \`--auth-token-ttl\`, an hour by default, however often they are used; etcd's live for 300 seconds after their last use.
- \`--quota-backend-bytes\` is compared with what tables and indexes take on disk. It is looked at after writes, not before each
  one, so a store may end up a little larger; see [alarms](metrics.md#size-and-quota).
- \`--log-outputs systemd/journal\` and \`default\` are standard error, which is the journal under systemd.
- \`--log-level dpanic\`, \`panic\` and \`fatal\` log nothing.

## What is refused

Somebody who sets one of these relies on it, and wouldn't get it. The server says why and doesn't start.

${table(['flag', 'when', 'why'], refused)}

## What is ignored

They have nothing to act on. The server names those that were given when it starts.

${table(['flag', 'why'], ignored)}

Flags that etcd 3.6 renamed have both names: ${Object.keys(OLD_NAMES)
    .map((name) => `\`--${name}\``)
    .join(', ')}.
`
}

function table(titles: readonly string[], rows: readonly string[]): string {
  return [`| ${titles.join(' | ')} |`, `|${' --- |'.repeat(titles.length)}`, ...rows].join('\n')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync('docs/flags.md', flagsPage())
