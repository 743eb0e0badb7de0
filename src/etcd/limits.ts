/** Every limit in one place, with etcd's default where etcd has one. Sizes in bytes, times as the name says. */
export const LIMITS = {
  /** etcd `--max-request-bytes`: what may go through consensus, as protobuf with its envelope. */
  requestBytesMax: 1_572_864,
  /** etcd's gRPC door: what a message may be larger than a request that goes through consensus. Reads may be this large. */
  messageOverheadBytes: 512 * 1024,
  /** etcd `--max-txn-ops`. */
  txnOpsMax: 128,
  /** Bodies that are being received by a process at one time, together. */
  bodiesBytesMax: 256 * 1024 * 1024,
  /** The same for a Worker's isolate, which has 128 MB for everything. */
  workerBodiesBytesMax: 48 * 1024 * 1024,
  /** What of each body doesn't count for that: as much as a connection holds anyway. */
  bodyBytesFree: 64 * 1024,
  /** How long a body over HTTP, or a message over gRPC, may take to arrive: etcd gives a client as long for its headers. */
  bodyTimeoutMs: 300_000,
  /** The longest key that can be put: what an entry of PostgreSQL's indexes holds with the columns beside it. */
  keyBytesMax: 2_560,
  /** The longest name of a user or role, for the same reason. */
  authNameBytesMax: 2_560,
  /** bcrypt's limit, which is etcd's. */
  passwordBytesMax: 72,
  /** PBKDF2 rounds of a password's hash: the most that Workers do. */
  passwordIterations: 100_000,
  /** Passwords that are being checked by a process at a time, and those that may wait for it. */
  passwordChecksMax: 2,
  passwordChecksWaitingMax: 100,
  /** Tokens and users that a process remembers, so that most calls have nothing to look up. */
  tokensRememberedMax: 10_000,
  usersRememberedMax: 1_000,
  /** Messages within one request: far more than a transaction that is let through has. */
  requestMessagesMax: 100_000,
  /** encoding/json's nesting limit, which etcd's gateway inherits. */
  jsonDepthMax: 10_000,
  /** An HTTP body may be larger than its message (base64, white space, unknown fields), up to here or to twice the message's limit. */
  bodyBytesMax: 4 * 1024 * 1024,
  /** etcd: the shortest lease, one and a half election timeouts rounded up, in seconds. */
  leaseTtlMin: 2n,
  /** etcd `maxLeaseTTL`, in seconds. */
  leaseTtlMax: 9_000_000_000n,
  /** Leases ended by one statement; the rest follows in the next pass. */
  leaseExpiriesPerPass: 256,
  /** etcd's request timeout: 5 s plus two election timeouts. */
  requestTimeoutMs: 7_000,
  /** Requests, bytes and operations that share one write statement. */
  batchRequestsMax: 256,
  batchBytesMax: 4 * 1024 * 1024,
  batchOperationsMax: 1024,
  /** Requests that may wait for the next batch before new ones are refused with `too many requests`. */
  batchQueueMax: 10_000,
  /** The same for their bytes; and at a Worker's coordinator, whose isolate has 128 MB for everything. */
  batchQueueBytesMax: 256 * 1024 * 1024,
  workerBatchQueueBytesMax: 32 * 1024 * 1024,
  /** etcd's watch catch-up: revisions a batch; and our bound on bytes read at once. */
  watchRevisionsPerRead: 1000,
  watchBytesPerRead: 4 * 1024 * 1024,
  /** A watch stream holds at most this much unsent; beyond it falls back to reading the log by position. */
  watchBufferBytesMax: 4 * 1024 * 1024,
  /** Reads of the past by watches that are behind, at a time in a process. */
  watchHistoryReadsMax: 8,
  /** What the reader of the log keeps of its end, for those who come back from a moment ago; and for how long. */
  watchRecentBytesMax: 4 * 1024 * 1024,
  watchRecentMs: 5_000,
  /** etcd: three election timeouts without a leader, and the streams end that require one. */
  noLeaderMs: 3_000,
  /** etcd's tick for watches that start in the past. */
  watchCatchUpTickMs: 100,
  /** How long the first message of a watch stands alone on the wire. */
  watchFirstAloneMs: 20,
  /** etcd's progress interval. */
  watchProgressIntervalMs: 600_000,
  /** Long poll: `Prefer: wait=N`, in seconds. */
  waitDefaultSeconds: 30,
  waitMaxSeconds: 55,
  /** gRPC: etcd's `--max-concurrent-streams`, `--grpc-keepalive-interval` and `--grpc-keepalive-timeout`. */
  grpcStreamsMax: 4_294_967_295,
  grpcKeepaliveIntervalMs: 7_200_000,
  grpcKeepaliveTimeoutMs: 20_000,
  /** Server-sent events: how often an idle stream says that it is there, and asks how far it has come. */
  serverSentHeartbeatMs: 15_000,
  serverSentProgressMs: 60_000,
  /** After how long a client is to connect again, and up to twice that. */
  serverSentRetryMs: 1_000,
  /** WebSocket: how often a connection is pinged; one that was silent for two pings in a row is gone. */
  webSocketPingMs: 30_000,
  /** How long its client may take to agree to the end of a connection. */
  webSocketCloseMs: 1_000,
  /** A client isn't read from while so much of what it sent is unread; and is refused beyond the second. */
  webSocketUnreadBytes: 64 * 1024,
  webSocketUnreadBytesMax: 8 * 1024 * 1024,
  /** The pieces, of the protocol's or of the network's, in which one frame may come. */
  webSocketPiecesMax: 16 * 1024,
  /** What a Worker sends on one connection, since nothing tells it how much of that the client has taken. */
  webSocketWorkerBytesMax: 32 * 1024 * 1024,
  /** etcd's default of `--quota-backend-bytes`. */
  quotaBackendBytes: 2_147_483_648n,
  /** etcd's pieces of a snapshot. */
  snapshotPieceBytes: 32 * 1024,
  /** What is read at once of a range that goes out in parts: keys, and bytes but for the last key's. */
  rangePartKeys: 1000,
  rangePartBytes: 1024 * 1024,
  /** Keys on a page of a list, for those who don't say; and how many may be asked for. */
  keysPerPage: 1000,
  keysPerPageMax: 10_000,
  /** How long after a compaction its space is freed, for the sake of watches that are a little behind. */
  sweepDelayMs: 5_000,
  /** Log rows that one compaction batch looks at. */
  compactionRowsPerBatch: 1000,
  /**
   * After this long a Worker's scheduled trigger begins nothing more: well before its next run, and before the fifteen
   * minutes that the platform gives it.
   */
  scheduledRunMs: 60_000,
} as const
