import { expect, test } from 'vitest'
import { describeAlarm } from './alarm.ts'

test.each([
  [{ memberId: 0n, alarm: 1 }, 'alarm:NOSPACE '],
  [{ memberId: 2n ** 64n - 1n, alarm: 2 }, 'memberID:18446744073709551615 alarm:CORRUPT '],
  [{ memberId: 8n, alarm: 7 }, 'memberID:8 alarm:7 '],
])('%o is told as etcd tells it', (alarm, text) => expect(describeAlarm(alarm)).toBe(text))
