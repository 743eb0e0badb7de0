import type { ServerHttp2Stream } from 'node:http2'
import { PassThrough } from 'node:stream'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Requests } from './requests.ts'
import { frame } from './testing/raw-call.ts'

/** What is read of a stream of HTTP/2 is what any stream has. */
function open(): { stream: PassThrough; requests: Requests } {
  const stream = Object.assign(new PassThrough(), { aborted: false })
  return { stream, requests: new Requests(stream as unknown as ServerHttp2Stream, '', 1_000) }
}

afterEach(() => {
  vi.useRealTimers()
})

describe('requests', () => {
  it('may be any time apart, and none may take longer than a body', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const { stream, requests } = open()
    const first = requests.next()
    await vi.advanceTimersByTimeAsync(10_000_000)
    stream.write(frame(Buffer.from('a')))
    expect(String(await first)).toBe('a')
    const second = requests.next()
    stream.write(frame(Buffer.from('b'), 0, 10))
    await vi.advanceTimersByTimeAsync(200_000)
    stream.write('more')
    await Promise.all([
      expect(second).rejects.toThrow('context deadline exceeded'),
      vi.advanceTimersByTimeAsync(200_000),
    ])
    requests.release()
  })

  it('that nobody wants any more aren’t waited for', async () => {
    const { requests } = open()
    const next = requests.next()
    requests.release()
    await expect(next).rejects.toThrow('context canceled')
  })
})
