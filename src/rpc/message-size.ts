import { EtcdError, GrpcCode } from '../etcd/errors.ts'

/** Fails with ResourceExhausted, in the words of Go's gRPC, for a message of `size` bytes where `sizeMax` may come in. */
export function checkMessageSize(size: number, sizeMax: number): void {
  if (size <= sizeMax) return
  const message = `grpc: received message larger than max (${size} vs. ${sizeMax})`
  throw new EtcdError(GrpcCode.ResourceExhausted, message)
}
