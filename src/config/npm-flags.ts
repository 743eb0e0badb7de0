import { ConfigError } from './config-error.ts'
import { type Variables, variableOf } from './sources.ts'

/**
 * Fails with a ConfigError when npm kept flags for itself that were meant for us, as it does without `--` before them:
 * `npm start --data-dir=x` would serve from the default store. npm leaves them in the environment of what it runs.
 * `names` are our flags, `given` those that did arrive.
 */
export function refuseTakenByNpm(
  names: readonly string[],
  given: Readonly<Record<string, unknown>>,
  variables: Variables,
): void {
  // Only where npm runs this very program: its variables may come from a script around it, too.
  if (variables.npm_package_name !== 'edgetcd' || variables.npm_lifecycle_event === undefined) return
  const taken = names.filter((name) => {
    const value = variables[variableOf(name).replace('ETCD_', 'npm_config_').toLowerCase()]
    return value !== undefined && value !== '' && given[name] === undefined
  })
  if (taken.length === 0) return
  const flags = taken.map((name) => `--${name}`).join(' and ')
  throw new ConfigError(
    `npm took ${flags} for itself: put flags after --, as in npm start -- --${taken[0]} …`,
  )
}
