import type { IncomingHttpHeaders } from 'node:http2'
import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import type { HeaderReader } from '../rpc/request.ts'
import { isKnownEncoding } from './compression.ts'
import { readTimeout } from './timeout.ts'

/** What the headers of a call say, but for what it calls. */
export interface CallHeaders {
  readonly encoding: string
  /** In milliseconds; undefined: the client waits as long as it takes. */
  readonly timeoutMs: number | undefined
  /** Its metadata, by the names that the gateway gives them. */
  readonly header: HeaderReader
}

/** How a call is refused whose headers are none of a call: over HTTP, too. */
export interface Refusal {
  readonly httpStatus: number
  readonly error: EtcdError
}

/** Reads the headers, and refuses what Go's gRPC refuses, in the same order and words. `raw` is names and values in turn. */
export function readHeaders(headers: IncomingHttpHeaders, raw: readonly string[]): CallHeaders | Refusal {
  const type = headers['content-type'] ?? ''
  if (!/^application\/grpc($|[+;])/.test(type)) {
    return refusal(415, GrpcCode.InvalidArgument, `invalid gRPC request content-type ${JSON.stringify(type)}`)
  }
  const timeout = readTimeout(first(raw, 'grpc-timeout'))
  if (timeout instanceof EtcdError) return { httpStatus: 400, error: timeout }
  if (headers[':method'] !== 'POST') {
    const method = JSON.stringify(headers[':method'])
    const message = `Received a HEADERS frame with :method ${method} which should be POST`
    return refusal(405, GrpcCode.Internal, message)
  }
  if (timeout === 0) return { httpStatus: 200, error: EtcdError.of('DeadlineExceeded') }
  const encoding = first(raw, 'grpc-encoding') ?? ''
  if (!isKnownEncoding(encoding)) {
    const message = `grpc: Decompressor is not installed for grpc-encoding ${JSON.stringify(encoding)}`
    return refusal(200, GrpcCode.Unimplemented, message)
  }
  return { encoding, timeoutMs: timeout, header: (name) => metadata(raw, name) }
}

function refusal(httpStatus: number, code: GrpcCode, message: string): Refusal {
  return { httpStatus, error: new EtcdError(code, message) }
}

/** The deadline isn't for whoever asks: it has been read. */
function metadata(raw: readonly string[], name: string): string | undefined {
  return name === 'grpc-timeout' ? undefined : first(raw, name.replace(/^grpc-metadata-/, ''))
}

/** Node joins the values of a name; etcd takes the first. */
function first(raw: readonly string[], name: string): string | undefined {
  for (let i = 0; i + 1 < raw.length; i += 2) if (raw[i] === name) return raw[i + 1]
  return undefined
}
