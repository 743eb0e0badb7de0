import { describe } from 'vitest'
import { chosenSeed } from '../support/random.ts'
import { testBytes } from './bytes.ts'
import { testCompareAndSwap } from './compare-and-swap.ts'
import { testConditions } from './conditions.ts'
import { testCurl } from './curl.ts'
import { testPermissions } from './permissions.ts'
import { SERVERS, serverOf } from './servers.ts'
import { testValues } from './values.ts'

const seed = chosenSeed()

describe.each(Object.entries(SERVERS))(`/keys/ on %s (seed ${seed})`, (_, start) => {
  const server = serverOf(start)
  testValues(server)
  testConditions(server)
  testBytes(server, seed)
  testCompareAndSwap(server)
  testCurl(server)
  testPermissions(server)
})
