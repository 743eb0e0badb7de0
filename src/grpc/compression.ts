import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import { errorCode, errorText } from '../thrown.ts'
import type { Frame } from './frames.ts'

const gunzipped = promisify(gunzip)

/** Whether messages can be read of a client that says that it may send them in this encoding; etcd has no other. */
export function isKnownEncoding(encoding: string): boolean {
  return isIdentity(encoding) || encoding === 'gzip'
}

/** The message of a frame. Fails in Go's words, with ResourceExhausted for one that grows too large. */
export async function messageOf({ flag, bytes }: Frame, encoding: string, bytesMax: number): Promise<Buffer> {
  if (flag === 0) return bytes
  if (flag !== 1) throw new EtcdError(GrpcCode.Internal, `grpc: received unexpected payload format ${flag}`)
  if (isIdentity(encoding)) {
    throw new EtcdError(GrpcCode.Internal, 'grpc: compressed flag set with identity or empty encoding')
  }
  try {
    return await gunzipped(bytes, { maxOutputLength: bytesMax })
  } catch (error) {
    throw errorCode(error) === 'ERR_BUFFER_TOO_LARGE' ? tooLarge(bytesMax) : undecipherable(error)
  }
}

function isIdentity(encoding: string): boolean {
  return encoding === '' || encoding === 'identity'
}

function tooLarge(bytesMax: number): EtcdError {
  const message = `grpc: received message after decompression larger than max ${bytesMax}`
  return new EtcdError(GrpcCode.ResourceExhausted, message)
}

function undecipherable(cause: unknown): EtcdError {
  const message = `grpc: failed to decompress the message: ${errorText(cause)}`
  return new EtcdError(GrpcCode.Internal, message, { cause })
}
