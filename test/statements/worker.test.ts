import { chosenWays, WORKER_WAYS } from '../support/worker-ways.ts'
import { startWorkerd } from '../support/workerd.ts'
import { describeEveryCall } from './every-call.ts'

for (const way of chosenWays(['hyperdrive', 'neon', 'hyperdrive+coordinator'])) {
  describeEveryCall(`statements that leave the Worker by ${way}`, (postgres) =>
    startWorkerd({ databaseUrl: postgres.url, schema: postgres.freshSchema(), ...WORKER_WAYS[way] }),
  )
}
