import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameReader, frameOf } from './frames.ts'

describe('frames', () => {
  it('are the same however their bytes come', () => {
    const messages = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 })
    fc.assert(
      fc.property(messages, fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1 }), (sent, sizes) => {
        const reader = new FrameReader(200)
        const wire = Buffer.concat(sent.map(frameOf))
        const read: Uint8Array[] = []
        for (let at = 0, turn = 0; at < wire.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1
          reader.push(Buffer.from(wire.subarray(at, at + size)))
          at += size
          for (let next = reader.next(); next !== undefined; next = reader.next()) {
            read.push(new Uint8Array(next.bytes))
          }
        }
        expect(read).toEqual(sent)
        expect(reader.isWithinMessage).toBe(false)
      }),
    )
  })

  it('of a message that is too large aren’t waited for', () => {
    const reader = new FrameReader(200)
    reader.push(frameOf(new Uint8Array(201)).subarray(0, 5))
    expect(() => reader.next()).toThrow('grpc: received message larger than max (201 vs. 200)')
  })

  it('that are whole don’t keep what came together with them', () => {
    const reader = new FrameReader(1_000_000)
    reader.push(Buffer.concat([frameOf(new Uint8Array(10)), frameOf(new Uint8Array(900_000))]))
    expect(reader.next()?.bytes.buffer.byteLength).toBeLessThan(100_000)
  })

  it('that aren’t count for what a process may hold, until nobody waits for them any more', () => {
    const readers: FrameReader[] = []
    const piece = Buffer.alloc(1_000_000)
    piece.writeUInt32BE(2_000_000, 1)
    const hold = () => {
      for (let i = 0; i < 1_000; i++) {
        const reader = new FrameReader(2_000_000)
        readers.push(reader)
        reader.push(piece)
      }
    }
    try {
      expect(hold).toThrow('etcdserver: too many requests')
    } finally {
      for (const reader of readers) reader.release()
    }
    const last = new FrameReader(2_000_000)
    last.push(piece)
    last.release()
  })
})
