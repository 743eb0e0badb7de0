/** The words of a command line, read as Go's flag package reads them, which etcd's users are used to. */
export interface GoFlags {
  /**
   * By name, without dashes. The last of several counts; those of a list are joined by commas. A switch without a value is
   * `true`.
   */
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
  kindOf: (name: string) => 'switch' | 'value' | 'list' | undefined,
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
    const given = value ?? (kind === 'switch' ? 'true' : args[++at])
    if (given === undefined) throw new Error(`flag needs a value: --${name}`)
    const before = kind === 'list' ? flags.get(name) : undefined
    flags.set(name, before === undefined ? given : `${before},${given}`)
  }
  return { flags, words }
}
