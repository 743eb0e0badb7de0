import { startEdgetcd } from '../support/edgetcd.ts'
import { describeEveryCall } from './every-call.ts'

describeEveryCall('statements that leave the server', (postgres) =>
  startEdgetcd({ databaseUrl: postgres.url, schema: postgres.freshSchema() }),
)
