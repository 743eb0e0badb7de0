import { Metadata, type StatusObject } from '@grpc/grpc-js'
import type { EtcdError } from '../etcd/errors.ts'

/** How a call ends that failed. */
export function statusOf({
  code,
  message,
}: EtcdError): StatusObject & { readonly message: string; readonly name: string } {
  return { name: 'EtcdError', message, code, details: message, metadata: new Metadata() }
}
