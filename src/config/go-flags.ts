/** The words of a command line, read as Go's flag package reads them, which etcd's users are used to. */
export interface GoFlags {
  /** By name, without dashes. The last of several counts. A switch without a value is `true`. */
  readonly flags: ReadonlyMap<string, string>
  /** Words that belong to no flag. */
  readonly words: readonly string[]
}

/**
 * Reads `--name value`, `--name=value`, and a switch alone or with `=value`; one dash is as good as two. A value is
 * whatever comes next, even if it begins with a dash. `kindOf` knows the flags, `advise` what to say about one that it
 * doesn't know. Fails with an Error that names the first flag that isn't known or has no value.
 */
export function readGoFlags(
  args: readonly string[],
  kindOf: (name: string) => 'switch' | 'value' | undefined,
  advise: (name: string) => string,
): GoFlags {
  const flags = new Map<string, string>()
  const words: string[] = []
  for (let at = 0; at < args.length; at++) {
    const arg = args[at] ?? ''
    const [, name, value] = /^--?([^-=][^=]*)(?:=(.*))?$/s.exec(arg) ?? []
    if (name === undefined) {
      words.push(arg)
      continue
    }
    const kind = kindOf(name)
    if (kind === undefined) throw new Error(`unknown flag --${name}${advise(name)}`)
    if (value !== undefined) flags.set(name, value)
    else if (kind === 'switch') flags.set(name, 'true')
    else {
      const next = args[++at]
      if (next === undefined) throw new Error(`flag needs a value: --${name}`)
      flags.set(name, next)
    }
  }
  return { flags, words }
}
