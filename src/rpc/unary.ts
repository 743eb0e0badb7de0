import type { EtcdError } from '../etcd/errors.ts'
import type { RpcContext } from './context.ts'
import { toEtcdError } from './failure.ts'
import type { UnaryRpc } from './rpcs.ts'

/**
 * Does `work`, all of a unary call from its bytes to those of its answer, as one call of the metrics, and logs it when it
 * was slow. Never fails: what the transport answers of an error is what `failed` gives.
 */
export async function answerCall<T>(
  rpc: UnaryRpc,
  context: RpcContext,
  work: () => Promise<T>,
  failed: (error: EtcdError) => T,
): Promise<T> {
  const { instruments, environment } = context
  const done = instruments.rpcs.started(rpc)
  const startMs = performance.now()
  try {
    const answer = await work()
    done('OK')
    return answer
  } catch (thrown) {
    const error = toEtcdError(thrown, environment.log)
    done(error.code)
    return failed(error)
  } finally {
    warnIfSlow(rpc, performance.now() - startMs, context)
  }
}

/** What etcd logs of a slow call tells of its keys, too: here nothing does. */
function warnIfSlow(
  { service, method }: UnaryRpc,
  tookMs: number,
  { environment, warningUnaryMs }: RpcContext,
): void {
  if (warningUnaryMs === 0 || tookMs < warningUnaryMs) return
  environment.log('warn', 'a call took too long', {
    took: `${tookMs.toFixed(1)}ms`,
    'expected-duration': `${warningUnaryMs}ms`,
    rpc: `/${service}/${method}`,
  })
}
