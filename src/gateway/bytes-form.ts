import { EtcdError, GrpcCode } from '../etcd/errors.ts'
import type { RpcRequest } from '../rpc/request.ts'
import type { BytesForm } from './json/index.ts'

const PARAMETER = 'encoding'
const HEADER = 'edgetcd-encoding'

/**
 * The form of bytes that a request and its answer are in: what `encoding` in the query says, else the header
 * `Edgetcd-Encoding`, else etcd's. Fails with InvalidArgument for an unknown one.
 */
export function readBytesForm(request: RpcRequest): BytesForm {
  return toBytesForm(inQuery(request.query) ?? request.header(HEADER))
}

/**
 * The same for a GET. Caches tell answers apart by their URLs, so it takes a form other than etcd's from its query only.
 * Fails with InvalidArgument for an unknown one, and for one that only the header names.
 */
export function readBytesFormOfGet(request: RpcRequest): BytesForm {
  const form = toBytesForm(inQuery(request.query))
  const wanted = readBytesForm(request)
  if (wanted === form) return form
  const message = `a GET has its encoding in its query: ${PARAMETER}=${wanted}`
  throw new EtcdError(GrpcCode.InvalidArgument, message)
}

function inQuery(query: string): string | undefined {
  return query === '' ? undefined : (new URLSearchParams(query).get(PARAMETER) ?? undefined)
}

function toBytesForm(name: string | undefined): BytesForm {
  switch (name?.toLowerCase()) {
    case undefined:
    case 'base64':
      return 'base64'
    case 'utf8':
    case 'utf-8':
      return 'utf8'
    default: {
      const message = `invalid value for ${PARAMETER}: ${JSON.stringify(name)} (there are utf8 and base64)`
      throw new EtcdError(GrpcCode.InvalidArgument, message)
    }
  }
}
