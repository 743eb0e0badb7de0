import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { cleanEnvironment } from '../../support/edgetcd.ts'
import type { JsonObject } from '../../support/gateway.ts'
import { freePorts } from '../../support/ports.ts'
import { type Child, startProcess } from '../../support/process.ts'
import type { Programs } from './programs.ts'

/** Patroni refuses a lease of less than twenty seconds; the rest is as quick as it takes. */
export const TTL_SECONDS = 20
const DYNAMIC_CONFIGURATION = {
  ttl: TTL_SECONDS,
  loop_wait: 1,
  retry_timeout: 8,
  postgresql: { use_pg_rewind: true, parameters: { wal_log_hints: 'on', fsync: 'off' } },
}
const SUPERUSER = { username: 'postgres', password: 'super' }
const REPLICATION = { username: 'replicator', password: 'replicate' }

/** Where a cluster keeps its state, and with whose name and password, in Patroni's words. */
export interface Etcd3Section extends JsonObject {
  readonly hosts: readonly string[]
}

/** What Patroni's REST API says of its node (`GET /patroni`), as far as the tests look. */
export interface NodeStatus {
  readonly state: string
  /** `primary`, or `replica`. */
  readonly role: string
  readonly timeline?: number
  readonly replication_state?: string
  /** When the node last spoke with edgetcd successfully, in seconds since 1970. */
  readonly dcs_last_seen?: number
}

/** A PostgreSQL under Patroni, as one machine of a cluster has it. */
export class PatroniNode {
  readonly name: string
  readonly configFile: string
  readonly #programs: Programs
  readonly #dataDir: string
  readonly #restUrl: string
  readonly #postgresPort: number
  #child: Child | undefined

  private constructor(programs: Programs, dir: string, name: string, ports: readonly number[]) {
    const [restPort = 0, postgresPort = 0] = ports
    this.name = name
    this.configFile = join(dir, `${name}.yml`)
    this.#programs = programs
    this.#dataDir = join(dir, name)
    this.#restUrl = `http://127.0.0.1:${restPort}`
    this.#postgresPort = postgresPort
  }

  /** Writes the configuration of a node of this name, whose files lie in `dir`. It isn't started yet. */
  static async create(
    programs: Programs,
    dir: string,
    name: string,
    etcd3: Etcd3Section,
  ): Promise<PatroniNode> {
    const node = new PatroniNode(programs, dir, name, await freePorts(2))
    node.#writeConfiguration(dir, etcd3)
    return node
  }

  /** Starts Patroni, which starts PostgreSQL: as the leader of a new cluster, or as a copy of the one that is there. */
  start(): void {
    const { asUser, bin } = this.#programs
    const [command = '', ...args] = [...asUser, join(bin, 'patroni'), this.configFile]
    this.#child = startProcess(command, args, { env: cleanEnvironment() })
  }

  /** Everything that Patroni and PostgreSQL have printed since the node was last started. */
  log(): string {
    return this.#child?.output() ?? ''
  }

  /** What the node says of itself, or undefined when it doesn't answer. */
  async status(): Promise<NodeStatus | undefined> {
    try {
      const answer = await fetch(`${this.#restUrl}/patroni`, { signal: AbortSignal.timeout(5000) })
      return (await answer.json()) as NodeStatus
    } catch {
      return undefined
    }
  }

  /** Whether it runs as the leader, accepting writes. */
  async leads(): Promise<boolean> {
    const status = await this.status()
    return status?.state === 'running' && status.role === 'primary'
  }

  /** Whether it runs as a copy that receives the leader's changes as they come. */
  async follows(): Promise<boolean> {
    const status = await this.status()
    return status?.role === 'replica' && status.replication_state === 'streaming'
  }

  /** Runs one statement on this node's PostgreSQL; undefined when it can't be reached. */
  async query(sql: string): Promise<pg.QueryResult | undefined> {
    const { username: user, password } = SUPERUSER
    const at = { host: '127.0.0.1', port: this.#postgresPort, database: 'postgres' }
    const client = new pg.Client({ ...at, user, password })
    client.on('error', () => undefined) // the node may be killed at any time
    try {
      await client.connect()
      return await client.query(sql)
    } catch {
      return undefined
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  /** Kills Patroni and PostgreSQL at once, as if the machine had lost its power. */
  async kill(): Promise<void> {
    this.#child?.signal('SIGKILL')
    await this.#child?.exited
    const postmaster = this.#postmasterPid()
    if (postmaster !== undefined) process.kill(postmaster, 'SIGKILL')
  }

  /** Ends both as an operator would. What doesn't end then is killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.stop(20_000)
    if (this.#postmasterPid() !== undefined) await this.kill()
  }

  /** PostgreSQL's process, which isn't in Patroni's process group. */
  #postmasterPid(): number | undefined {
    const file = join(this.#dataDir, 'postmaster.pid')
    if (!existsSync(file)) return undefined
    const pid = Number(readFileSync(file, 'utf8').split('\n')[0])
    try {
      process.kill(pid, 0)
      return pid
    } catch {
      return undefined
    }
  }

  /** Patroni's configuration; YAML takes JSON. */
  #writeConfiguration(dir: string, etcd3: Etcd3Section): void {
    const sockets = join(dir, `${this.name}.sockets`)
    mkdirSync(sockets)
    const address = `127.0.0.1:${this.#postgresPort}`
    const rest = new URL(this.#restUrl).host
    const configuration = {
      scope: 'demo',
      namespace: '/service/',
      name: this.name,
      restapi: { listen: rest, connect_address: rest },
      etcd3,
      bootstrap: { dcs: DYNAMIC_CONFIGURATION, initdb: [{ encoding: 'UTF8' }, { locale: 'C' }, 'no-sync'] },
      postgresql: {
        listen: address,
        connect_address: address,
        data_dir: this.#dataDir,
        bin_dir: this.#programs.postgresBin,
        pgpass: join(dir, `${this.name}.pgpass`),
        authentication: { superuser: SUPERUSER, replication: REPLICATION },
        parameters: { unix_socket_directories: sockets },
        pg_hba: [
          'host all all 127.0.0.1/32 scram-sha-256',
          'host replication all 127.0.0.1/32 scram-sha-256',
        ],
      },
      watchdog: { mode: 'off' },
    }
    writeFileSync(this.configFile, JSON.stringify(configuration))
  }
}
