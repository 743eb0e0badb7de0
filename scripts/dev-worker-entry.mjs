// The Worker as workerd runs it for development, and the paths by which wrangler lets one run its cron trigger.
import worker from './worker.js'

// The class of its Durable Object.
export * from './worker.js'

const SCHEDULED_PATHS = new Set(['/cdn-cgi/local/scheduled', '/cdn-cgi/handler/scheduled'])

export default {
  async fetch(request, bindings, execution) {
    const { pathname, searchParams } = new URL(request.url)
    if (!SCHEDULED_PATHS.has(pathname)) return worker.fetch(request, bindings, execution)
    const scheduledTime = Number(searchParams.get('time') ?? Date.now())
    await worker.scheduled({ cron: searchParams.get('cron') ?? '', scheduledTime }, bindings, execution)
    return new Response('ok')
  },
}
