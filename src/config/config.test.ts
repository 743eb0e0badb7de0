import { describe, expect, it } from 'vitest'
import { ConfigError, readConfig } from './config.ts'
import { helpText, readCommandLine } from './flags.ts'
import { SETTING_GROUPS, SETTING_NAMES } from './setting-table.ts'

describe('readConfig', () => {
  it('has a default for everything but the database', () => {
    expect(readConfig({}, {})).toEqual({
      listenClientUrls: ['http://127.0.0.1:2379'],
      advertiseClientUrls: ['http://127.0.0.1:2379'],
      name: 'default',
      databaseUrl: undefined,
      dataDir: 'edgetcd.data',
      schema: 'etcd',
      stores: [],
      retention: undefined,
      quotaBackendBytes: 2_147_483_648n,
      maxTxnOps: 128,
      maxRequestBytes: 1_572_864,
      streamMaxDuration: 0,
      pollInterval: 500,
      watchProgressNotifyInterval: 600_000,
      maxConcurrentStreams: 4_294_967_295,
      grpcKeepaliveInterval: 7_200_000,
      grpcKeepaliveTimeout: 20_000,
      cors: ['*'],
      hostWhitelist: ['*'],
      listenMetricsUrls: [],
      tls: undefined,
      authToken: { kind: 'stored' },
      authTokenTtl: 3600,
      logLevel: 'info',
      logFormat: 'json',
      logOutputs: ['default'],
      warningApplyDuration: 100,
      warningUnaryRequestDuration: 300,
      metrics: 'basic',
      ignoredFlags: [],
      warnings: [],
    })
  })

  it('takes a flag before a variable, and a variable before a default', () => {
    const variables = { ETCD_NAME: 'variable', ETCD_SCHEMA: 'variable' }
    const config = readConfig({ name: 'flag' }, variables)
    expect(config.name).toBe('flag')
    expect(config.schema).toBe('variable')
    expect(config.warnings).toEqual(['ETCD_NAME is ignored: --name goes before it'])
  })

  it('serves several stores where they are said to be, and says what means nothing then', () => {
    const ports = readConfig({ store: 'a=http://127.0.0.1:1,b=http://127.0.0.1:2', schema: 'c' }, {})
    expect(ports.stores.map(({ schema }) => schema)).toEqual(['a', 'b'])
    expect(ports.listenClientUrls).toEqual([])
    expect(ports.warnings).toEqual(['--schema is ignored: --store says which stores are served, and where'])
    const hosts = readConfig({ store: 'a=//a.example', 'listen-client-urls': 'http://127.0.0.1:1' }, {})
    expect(hosts.listenClientUrls).toEqual(['http://127.0.0.1:1'])
    expect(hosts.warnings).toEqual([])
    expect(() => readConfig({ store: '' }, {})).toThrow('--store is empty')
    expect(() => readConfig({ store: `${'a'.repeat(64)}=//a` }, {})).toThrow('--store is')
  })

  it('takes the database from its own variable last', () => {
    const variables = { DATABASE_URL: 'postgres://a/b' }
    expect(readConfig({}, variables).databaseUrl).toBe('postgres://a/b')
    expect(readConfig({}, { ...variables, ETCD_DATABASE_URL: 'postgres://c/d' }).databaseUrl).toBe(
      'postgres://c/d',
    )
  })

  it('refuses an empty value: it would quietly serve another database than the one that was meant', () => {
    expect(() => readConfig({}, { DATABASE_URL: '' })).toThrow('DATABASE_URL is empty')
    expect(() => readConfig({ schema: '' }, {})).toThrow('--schema is empty')
    expect(() => readConfig({}, { ETCD_DATA_DIR: '' })).toThrow('ETCD_DATA_DIR is empty')
  })

  it('takes any other empty value as none, as etcd does', () => {
    expect(readConfig({ 'log-level': '', 'cert-file': '' }, { ETCD_NAME: '' })).toEqual(readConfig({}, {}))
  })

  it.each([
    ['5m', '10s', 300_000, 10_000],
    ['0', '10s', 7_200_000, 20_000],
    ['5m', '0s', 7_200_000, 20_000],
  ])('pings as it is told, and as gRPC itself for a zero: every %s, within %s', (every, within, ...ms) => {
    const config = readConfig({ 'grpc-keepalive-interval': every, 'grpc-keepalive-timeout': within }, {})
    expect([config.grpcKeepaliveInterval, config.grpcKeepaliveTimeout]).toEqual(ms)
  })

  it('advertises where it listens, unless told otherwise', () => {
    const urls = 'http://10.0.0.1:2379, http://[::1]:80'
    expect(readConfig({ 'listen-client-urls': urls }, {}).advertiseClientUrls).toEqual([
      'http://10.0.0.1:2379',
      'http://[::1]:80',
    ])
    expect(readConfig({ 'advertise-client-urls': 'http://a:1' }, {}).advertiseClientUrls).toEqual([
      'http://a:1',
    ])
  })

  it.each([
    ['periodic', '0', undefined],
    ['periodic', '1', { mode: 'periodic', seconds: 3600 }],
    ['periodic', '1h30m', { mode: 'periodic', seconds: 5400 }],
    ['periodic', '500ms', { mode: 'periodic', seconds: 1 }],
    ['revision', '1000', { mode: 'revision', revisions: 1000n }],
    ['revision', '0', undefined],
  ])('keeps by %s %s', (mode, retention, expected) => {
    const flags = { 'auto-compaction-mode': mode, 'auto-compaction-retention': retention }
    expect(readConfig(flags, {}).retention).toEqual(expected)
  })

  it.each([
    [
      { 'listen-client-urls': 'unix://a:1' },
      '--listen-client-urls is "unix://a:1", but must be http://HOST:PORT or https://HOST:PORT',
    ],
    [{ 'listen-client-urls': '127.0.0.1:2379' }, '--listen-client-urls is "127.0.0.1:2379"'],
    [
      { 'log-level': 'loud' },
      '--log-level is "loud", but must be one of debug, info, warn, error, dpanic, panic, fatal',
    ],
    [{ 'max-txn-ops': '0' }, '--max-txn-ops is "0", but must be a whole number from 1 to 2147483647'],
    [
      { 'poll-interval': '1ms' },
      '--poll-interval is "1ms", but must be a duration of at least 10ms, such as 500ms',
    ],
    [{ 'stream-max-duration': '5 minutes' }, '--stream-max-duration is "5 minutes", but must be a duration'],
    [{ 'database-url': 'mysql://a' }, '--database-url is "mysql://a", but must be postgres://'],
    [{ 'auto-compaction-retention': 'x' }, '--auto-compaction-retention is "x", but must be hours'],
    [{ schema: 'x'.repeat(64) }, 'but must be one name of at most 63 bytes'],
    [{ schema: 'a,b' }, '--schema is "a,b", but must be one name'],
    [{ schema: 'pg_etcd' }, "not one of PostgreSQL's own"],
    [{ schema: 'information_schema' }, "not one of PostgreSQL's own"],
  ])('refuses %j', (flags, message) => {
    expect(() => readConfig(flags as Record<string, string>, {})).toThrow(message)
    expect(() => readConfig(flags as Record<string, string>, {})).toThrow(ConfigError)
  })

  it('takes origins as etcd does, and those on their default ports, which etcd can’t', () => {
    const cors = (text: string) => readConfig({ cors: text }, {}).cors
    expect(cors('*')).toEqual(['*'])
    expect(cors(' http://a:1 , https://B:2,http://a:1')).toEqual(['http://a:1', 'https://B:2', 'https://b:2'])
    expect(cors('https://a:443,http://b')).toEqual(['https://a:443', 'https://a', 'http://b'])
    for (const text of [
      'null',
      'a:1',
      'http://a:1/',
      'http://a:1/x',
      '*,http://a:1',
      'http://u@a:1',
      'unix://x',
    ]) {
      expect(() => cors(text), text).toThrow(
        `--cors is "${text}", but must be * or SCHEME://HOST[:PORT] without a path`,
      )
    }
  })

  it('names the variable that is wrong', () => {
    expect(() => readConfig({}, { ETCD_LOG_LEVEL: 'loud' })).toThrow('ETCD_LOG_LEVEL is "loud"')
  })

  it('ignores what else a Worker is bound to', () => {
    expect(readConfig({}, { HYPERDRIVE: {}, ETCD_SCHEMA: 'edge' }).schema).toBe('edge')
  })
})

describe('readCommandLine', () => {
  it('serves by default', () => {
    expect(readCommandLine([])).toMatchObject({ command: 'serve', json: false, help: false })
  })

  it('takes a flag’s value either way', () => {
    const { flags } = readCommandLine(['serve', '--name', 'a', '--data-dir=b c', '--schema='])
    expect(flags).toEqual({ name: 'a', 'data-dir': 'b c', schema: '' })
  })

  it('knows --json, --help and --version anywhere', () => {
    expect(readCommandLine(['--json', 'migrate'])).toMatchObject({ command: 'migrate', json: true })
    expect(readCommandLine(['recover', '-h'])).toMatchObject({ help: true })
    expect(readCommandLine(['help'])).toMatchObject({ help: true })
    expect(readCommandLine(['stores', '--help'])).toMatchObject({ help: true })
    expect(readCommandLine(['stores', 'drop', '--help'])).toMatchObject({ help: true })
    expect(readCommandLine(['--version'])).toMatchObject({ command: 'version' })
  })

  it('knows the stores that a command works on', () => {
    expect(readCommandLine(['migrate', '--schema', 'a'])).toMatchObject({ flags: { schema: 'a' } })
    const several = readCommandLine(['migrate', '--schema', 'a, b'])
    expect(several).toMatchObject({ schemas: ['a', 'b'], flags: {} })
    expect(readCommandLine(['compact', '--all'])).toMatchObject({ schemas: 'all', flags: {} })
    expect(readCommandLine(['serve', '--schema', 'a,b']).flags, 'one name').toEqual({ schema: 'a,b' })
    expect(readCommandLine(['stores', 'list', '--json'])).toMatchObject({
      command: 'stores list',
      json: true,
    })
    const dropped = { schema: 'a', yes: 'a' }
    expect(readCommandLine(['stores', 'drop', 'a', '--yes', 'a'])).toMatchObject({ dropped, flags: {} })
    const stores = readCommandLine(['--store', 'a=//a', '--store=b=//b'])
    expect(stores.flags).toEqual({ store: 'a=//a,b=//b' })
  })

  it.each([
    [['stores'], 'stores can list or drop, but got nothing'],
    [['stores', 'rm'], 'stores can list or drop, but got rm'],
    [['stores', 'drop'], 'stores drop needs the name of a store'],
    [['stores', 'drop', 'a', 'b'], 'stores drop takes no further words, but got b'],
    [['migrate', '--all', '--schema', 'a'], '--all and --schema are both set'],
    [['migrate', '--schema', ','], '--schema is ",", but must be names'],
    [['serve', '--all'], '--all belongs to edgetcd migrate and edgetcd compact'],
    [['compact', '--yes', 'a'], '--yes belongs to edgetcd stores drop'],
    [['--nmae', 'a'], 'unknown flag --nmae; did you mean --name?'],
    [['--listen-client-url', 'a'], 'unknown flag --listen-client-url; did you mean --listen-client-urls?'],
    [['--heartbeat', 'a'], 'unknown flag --heartbeat; edgetcd --help lists them'],
    [['serv'], 'unknown command serv; did you mean serve?'],
    [['stop'], 'unknown command stop; edgetcd --help lists them'],
    [['serve', 'now'], 'serve takes no further words, but got now'],
    [['--name'], 'flag needs a value: --name'],
    [['serve', '--bump-revision', '5'], '--bump-revision belongs to edgetcd recover'],
  ])('refuses %j', (words, message) => {
    expect(() => readCommandLine(words)).toThrow(message)
    expect(() => readCommandLine(words)).toThrow(ConfigError)
  })

  describe('under npm', () => {
    const npm = { npm_package_name: 'edgetcd', npm_lifecycle_event: 'start', npm_config_cors: '' }
    const taken = { npm_config_listen_client_urls: 'http://127.0.0.1:1', npm_config_data_dir: 'true' }

    it('refuses to start without the flags that npm kept', () => {
      expect(() => readCommandLine(['serve'], { ...npm, ...taken })).toThrow(
        'npm took --listen-client-urls and --data-dir for itself: put flags after --, as in npm start -- --listen-client-urls …',
      )
      expect(() => readCommandLine(['serve', 'x'], { ...npm, npm_config_bump_revision: 'true' })).toThrow(
        'npm took --bump-revision for itself',
      )
      expect(() => readCommandLine(['serve', 'x'], npm)).toThrow(
        'serve takes no further words, but got x (with npm start, flags come after --)',
      )
    })

    it('minds no flags that were meant for another program, or that arrived', () => {
      const arrived = ['serve', '--data-dir', 'x', '--listen-client-urls', 'http://127.0.0.1:1']
      for (const [words, variables] of [
        [['serve'], npm],
        [['serve'], { ...npm, ...taken, npm_package_name: 'other' }],
        [['serve'], taken],
        [arrived, { ...npm, ...taken }],
      ] as const) {
        expect(readCommandLine(words, variables).command).toBe('serve')
      }
    })
  })

  it('helps with every setting, once', () => {
    expect(Object.values(SETTING_GROUPS).flatMap(Object.keys).toSorted()).toEqual(SETTING_NAMES.toSorted())
    for (const name of SETTING_NAMES) expect(helpText()).toContain(`--${name} `)
  })
})
