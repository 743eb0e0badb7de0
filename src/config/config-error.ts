/** A setting that can't be understood or can't be followed; the message is for whoever set it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}
