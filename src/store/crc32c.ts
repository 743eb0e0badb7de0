/** CRC-32C (Castagnoli), reflected: neither the platform nor PostgreSQL before 18 has it. */
const POLYNOMIAL = 0x82f63b78

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1
  return crc
})

/** The checksum of `bytes` after what gave `previous` (0 to begin), as an unsigned 32-bit number. */
export function crc32c(bytes: Uint8Array, previous: number): number {
  let crc = ~previous
  for (const byte of bytes) crc = (crc >>> 8) ^ (TABLE[(crc ^ byte) & 0xff] ?? 0)
  return ~crc >>> 0
}
