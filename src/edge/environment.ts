import type { Config } from '../config/config.ts'
import type { Environment } from '../environment.ts'
import { createLog } from '../observe/log.ts'
import { systemEnvironment } from '../system-environment.ts'

/** The platform's effects; the log goes to the console, which a Worker's logs are. */
export function workerEnvironment({ logLevel }: Pick<Config, 'logLevel'>): Environment {
  return systemEnvironment(createLog(logLevel, (line) => console.log(line)))
}
