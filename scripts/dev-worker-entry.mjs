// The Worker as workerd runs it for development, with the paths by which wrangler lets one run its cron trigger, and one
// more: POST /cdn-cgi/local/abort-coordinator loses the Durable Object at once, as the platform may.
import worker, { Coordinator as Deployed } from './worker.js'

export class Coordinator extends Deployed {
  abort() {
    this.ctx.abort('it was asked to')
  }
}

const SCHEDULED_PATHS = new Set(['/cdn-cgi/local/scheduled', '/cdn-cgi/handler/scheduled'])

export default {
  async fetch(request, bindings, execution) {
    if (!request.url.includes('/cdn-cgi/')) return worker.fetch(request, bindings, execution)
    const { pathname, searchParams } = new URL(request.url)
    if (request.method === 'POST' && pathname === '/cdn-cgi/local/abort-coordinator') {
      await abortCoordinator(bindings)
      return new Response('ok')
    }
    if (!SCHEDULED_PATHS.has(pathname)) return worker.fetch(request, bindings, execution)
    const scheduledTime = Number(searchParams.get('time') ?? Date.now())
    await worker.scheduled({ cron: searchParams.get('cron') ?? '', scheduledTime }, bindings, execution)
    return new Response('ok')
  },
}

async function abortCoordinator({ COORDINATOR, ETCD_SCHEMA = 'etcd' }) {
  const object = COORDINATOR.get(COORDINATOR.idFromName(ETCD_SCHEMA))
  // The call is lost with the object.
  await object.abort().catch(() => {})
}
