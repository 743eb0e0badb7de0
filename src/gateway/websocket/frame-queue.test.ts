import { describe, expect, it } from 'vitest'
import { LIMITS } from '../../etcd/limits.ts'
import { FrameQueue } from './frame-queue.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (frame: Uint8Array): string => new TextDecoder().decode(frame)

/** A queue, and what it told the connection. */
function watched() {
  const told: string[] = []
  const queue = new FrameQueue({ pause: () => told.push('pause'), resume: () => told.push('resume') })
  return { queue, told }
}

async function read(queue: FrameQueue): Promise<string[]> {
  const frames: string[] = []
  for await (const frame of queue) frames.push(text(frame))
  return frames
}

describe('the frames of a connection', () => {
  it('are read in their order, each with a line break, those that come later too', async () => {
    const { queue } = watched()
    queue.push(bytes('a'))
    queue.push(bytes('b'))
    const frames = queue[Symbol.asyncIterator]()
    const taken: string[] = []
    for (let i = 0; i < 4; i++) taken.push(text((await frames.next()).value ?? new Uint8Array()))
    expect(taken).toEqual(['a', '\n', 'b', '\n'])
    const next = frames.next()
    queue.push(bytes('c'))
    expect(text((await next).value ?? new Uint8Array())).toBe('c')
    queue.end()
    expect((await frames.next()).value).toEqual(bytes('\n'))
    expect((await frames.next()).done).toBe(true)
  })

  it('hold the client back while too many are unread', async () => {
    const { queue, told } = watched()
    const half = new Uint8Array(LIMITS.webSocketUnreadBytes / 2)
    queue.push(half)
    expect(told).toEqual([])
    queue.push(half)
    expect(told).toEqual(['pause'])
    const frames = queue[Symbol.asyncIterator]()
    for (let i = 0; i < 3; i++) await frames.next()
    expect(told).toEqual(['pause', 'resume'])
  })

  it('small ones count, too', () => {
    const { queue, told } = watched()
    for (let i = 0; i < 2000; i++) queue.push(bytes('{}'))
    expect(told).toEqual(['pause'])
    queue.end()
    expect(told).toEqual(['pause', 'resume'])
  })

  it('are refused when a client sends on', async () => {
    const { queue } = watched()
    const frame = new Uint8Array(LIMITS.bodyBytesMax)
    queue.push(frame)
    queue.push(frame)
    queue.push(frame)
    await expect(read(queue)).rejects.toThrow('etcdserver: too many requests')
  })

  it('are thrown away when nobody reads them any more', async () => {
    const { queue, told } = watched()
    queue.push(bytes('{}'))
    for await (const _ of queue) break
    for (let i = 0; i < 2000; i++) queue.push(bytes('{}'))
    expect(told).toEqual([])
    expect(await read(queue)).toEqual([])
  })
})
