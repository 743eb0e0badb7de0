const text = JSON.stringify

/** Its storage is none: it keeps nothing. */
const COORDINATOR = `,
  durableObjectNamespaces = [(className = "Coordinator", uniqueKey = "coordinator", enableSql = true)],
  durableObjectStorage = (inMemory = void)`

/**
 * workerd's configuration, to lie beside the bundle: its modules, of which `texts` are those of text, and the bindings of
 * wrangler.toml, as `options` of dev-worker-options.mjs have them. It listens on `address`, `unix:PATH` or host and port.
 */
export async function workerdConfig(options, address, texts) {
  const { unstable_readConfig } = await import('wrangler')
  const { compatibility_date, compatibility_flags, vars } = unstable_readConfig({ config: 'wrangler.toml' })
  const { database, coordinator } = options
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "worker", worker = .worker),
    (name = "internet", network = (allow = ["public", "private", "local"])),
    (name = "database", external = (address = ${text(`${database.hostname}:${database.port || 5432}`)}, tcp = ()))
  ],
  sockets = [(name = "http", address = ${text(address)}, http = (), service = "worker")]
);
const worker :Workerd.Worker = (
  modules = [
    (name = "entry.js", esModule = embed "entry.js"),
    (name = "worker.js", esModule = embed "worker.js"),
    ${texts.map((name) => `(name = ${text(`./${name}`)}, text = embed ${text(name)})`).join(',\n    ')}
  ],
  compatibilityDate = ${text(compatibility_date)},
  compatibilityFlags = ${text(compatibility_flags)},
  bindings = [
    ${bindings(options, vars).join(',\n    ')}
  ]${coordinator ? COORDINATOR : ''}
);
`
}

function bindings({ driver, database, neonProxy, coordinator, settings }, vars) {
  const neon = driver === 'neon' ? { DATABASE_URL: database.href, NEON_PROXY: neonProxy } : {}
  const texts = Object.entries({ ...vars, ...settings, ...neon }).map(
    ([name, value]) => `(name = ${text(name)}, text = ${text(String(value))})`,
  )
  const objects = coordinator ? ['(name = "COORDINATOR", durableObjectNamespace = "Coordinator")'] : []
  return driver === 'hyperdrive' ? [...texts, hyperdrive(database), ...objects] : [...texts, ...objects]
}

function hyperdrive({ pathname, username, password }) {
  return `(name = "HYPERDRIVE", hyperdrive = (
      designator = "database", scheme = "postgres", database = ${text(decodeURIComponent(pathname.slice(1)))},
      user = ${text(decodeURIComponent(username))}, password = ${text(decodeURIComponent(password))}
    ))`
}
