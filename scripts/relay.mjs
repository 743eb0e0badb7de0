import { connect, createServer } from 'node:net'

/**
 * Listens on a port of this machine, and passes its connections on to a Unix socket; when a client ends its side of one, it is
 * closed there. Cloudflare's proxies tell a Worker at once of a client that is gone. workerd alone takes the end of what a
 * client says for no more than that, and learns of the rest when it next writes something. etcd and Node take that end, too, for
 * the client's going. Gives the server.
 */
export function startRelay(port, path) {
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const worker = connect(path)
    const gone = () => worker.destroy()
    client.on('end', gone).on('error', gone).on('close', gone)
    worker.on('error', () => client.destroy())
    client.pipe(worker, { end: false })
    worker.pipe(client)
  })
  return server.listen(port, '127.0.0.1')
}
