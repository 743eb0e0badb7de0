"""Every public call of etcd3-py against the server whose port is in EDGETCD_PORT, an empty one.

Prints a line for each: the call, and what it gave. What differs between two servers with the same behaviour (ids, sizes,
hashes, tokens) is printed as `*`. With EDGETCD_AUTH the calls that need authentication on are made instead.
"""

import asyncio
import os
import queue
import re
import threading

import etcd3
from etcd3 import models
from etcd3.stateful.lock import EtcdLockAcquireTimeout

LEASE = 7587  # leases get ids of our own, so that they read the same everywhere
OTHER_LEASE = 7588
VARYING_NUMBERS = "cluster_id|member_id|memberID|leader|raftIndex|dbSize|hash"
PATIENCE_SECONDS = 10
PORT = int(os.environ["EDGETCD_PORT"])


def connect(client=etcd3.Client, **options):
    # The constructor gives /version 0.3 s, which a busy machine may miss, and then lacks an attribute of its own.
    for _ in range(20):
        try:
            return client(port=PORT, timeout=PATIENCE_SECONDS, **options)
        except AttributeError:
            pass
    raise TimeoutError("/version takes more than 0.3 s")


class Transcript:
    """Makes calls of a client and prints them; an error that the server answered is printed as the server put it."""

    def __init__(self, client):
        self.client = client
        self.answer = None
        client._session.hooks["response"].append(self._remember)

    def _remember(self, answer, *_args, **_kwargs):
        self.answer = answer

    def __getattr__(self, name):
        def call(*args, **kwargs):
            given = [repr(arg) for arg in args] + [f"{key}={value!r}" for key, value in kwargs.items()]
            return self.of(f"{name}({', '.join(given)})", lambda: getattr(self.client, name)(*args, **kwargs))

        return call

    def of(self, title, make):
        self.answer = None
        try:
            result = make()
        except Exception as error:
            say(title, self._refusal(error))
            return None
        say(title, repr(result))
        return result

    def _refusal(self, error):
        if self.answer is None or self.answer.status_code < 400:
            return f"{type(error).__name__}: {error}"
        body = self.answer.json()
        return f"HTTP {self.answer.status_code}, code {body['code']}: {body['message']}"


def say(title, result):
    line = f"{title}\n    {result}".replace("\u00a0", " ")  # which of the two, is up to etcd's build
    line = re.sub(rf"\b({VARYING_NUMBERS})=-?\d+", r"\1=*", line)
    line = re.sub(r"(etcdserverpbMember\(ID)=\d+", r"\1=*", line)
    line = re.sub(r"\b(token)='[^']*'", r"\1=*", line)
    line = re.sub(r"http://(127\.0\.0\.1|localhost):\d+", "http://*", line)
    print(line, flush=True)


def keys(t):
    t.put("fruit", "apple")
    t.put("fruit", "pear", prev_kv=True)
    t.put(b"fr\x00\xff", b"\xff\x00")
    t.put("fruit", "", ignore_value=True)
    t.put("absent", "", ignore_value=True)
    t.put("fruit", "fig", ignore_lease=True)
    t.put("", "no key")
    t.put("fruit", "orphan", lease=OTHER_LEASE)
    t.put("empty", "")
    for name in ["b", "c", "a"]:
        t.put(f"list/{name}", name * 2)
    t.range("fruit")
    t.range("nothing")
    t.range("list/", prefix=True)
    t.range("list/a", range_end="list/c")
    t.range(all=True, keys_only=True)
    t.range(all=True, count_only=True)
    t.range("list/", prefix=True, limit=1)
    t.range("list/", prefix=True, sort_order="DESCEND", sort_target="VALUE")
    t.range(
        "list/",
        prefix=True,
        sort_order=models.RangeRequestSortOrder.ASCEND,
        sort_target=models.RangeRequestSortTarget.MOD,
    )
    t.range("fruit", revision=2, serializable=True)
    t.range("fruit", revision=4000)
    t.range(all=True, min_mod_revision=3, max_mod_revision=6)
    t.range(all=True, min_create_revision=3, max_create_revision=6)
    t.delete_range("empty", prev_kv=True)
    t.delete_range("empty")
    t.delete_range("list/a", range_end="list/c", prev_kv=True)
    t.delete_range("list/", prefix=True)
    t.delete_range("")


def transactions(t):
    txn = t.client.Txn()
    txn.If(txn.key("fruit").value == "fig")
    txn.If(txn.key("fruit").version > 1)
    txn.If(txn.key("fruit").mod < 4000)
    txn.If(txn.key("fruit").create != 0)
    txn.If(txn.key("fruit").lease == 0)
    txn.Then(txn.put("fruit", "date", prev_kv=True))
    txn.Then(txn.range("fr", prefix=True))
    txn.Then(txn.delete("nothing"))
    txn.Else(txn.delete(all=True))
    t.of("Txn: all that it can compare, then put, range and delete", txn.commit)
    txn = t.client.Txn()
    txn.If(txn.key("fruit").version == 0)
    txn.Then(txn.put("fruit", "again"))
    t.of("Txn: whose comparison fails", txn.commit)
    txn = t.client.Txn()
    txn.If(txn.key("fr", prefix=True).mod > 0)
    t.of("Txn: of a prefix, that does nothing", txn.commit)
    txn = t.client.Txn()
    txn.Then(txn.put("twice", "1"))
    txn.Then(txn.put("twice", "2"))
    t.of("Txn: one key twice", txn.commit)
    t.txn(compare=[], success=[], failure=[])
    t.compact(4)
    t.compact(5, physical=True)
    t.compact(5)
    t.range("fruit", revision=2)


def leases(t):
    t.lease_grant(TTL=600, ID=LEASE)
    t.lease_grant(TTL=600, ID=LEASE)
    chosen = t.client.lease_grant(TTL=600)
    say("lease_grant(TTL=600) that chooses its id", f"{chosen.ID > 0}, TTL {chosen.TTL}")
    t.put("leased", "here", lease=LEASE)
    t.range("leased")
    left = t.client.lease_time_to_live(LEASE, keys=True)
    say("lease_time_to_live", f"{left.ID}, {590 < left.TTL <= 600}, {left.grantedTTL}, {left.keys}")
    t.lease_keep_alive_once(LEASE)
    t.lease_revoke(LEASE)
    t.range("leased")
    t.lease_revoke(LEASE)
    t.lease_time_to_live(LEASE)
    t.lease_keep_alive_once(LEASE)
    t.client.lease_revoke(chosen.ID)
    t.lease_grant(TTL=9_000_000_001)


def lease_helper(t):
    kept = threading.Event()
    lease = t.client.Lease(ttl=4, ID=OTHER_LEASE)
    lease.grant()
    lease.keepalive(keep_cb=kept.set)
    say("Lease: kept alive", kept.wait(PATIENCE_SECONDS))
    say("Lease: alive", lease.alive())
    adopted = t.client.Lease(ttl=4, ID=OTHER_LEASE, new=False)
    adopted.grant()
    say("Lease: taken over by its id", 0 < adopted.ttl() <= 4)
    lease.cancel_keepalive()
    t.of("Lease: refreshed", lease.refresh)
    t.of("Lease: revoked", lease.revoke)
    say("Lease: alive", lease.alive())
    say("Lease: ttl", lease.ttl())


def watches(t):
    t.put("w/a", "1")
    start = t.client.put("w/b", "2").header.revision
    t.client.delete_range("w/a")
    stream = t.client.watch_create("w/", prefix=True, start_revision=start - 1, prev_kv=True)
    with stream as messages:
        events = []
        for message in messages:
            if "created" in message:
                say("watch_create", repr(message))
            events += message.events or []
            if len(events) == 3:
                break
    for event in events:
        say("watch_create: an event", repr(event))
    with t.client.watch_create(all=True, start_revision=start - 1, no_put=True) as messages:
        events = next(message.events for message in messages if message.events)
        say("watch_create: deletes only", [event.kv.key for event in events])
    with t.client.watch_create("w/b", start_revision=2) as messages:
        for message in messages:
            say("watch_create below the compaction", repr(message))
            if message.canceled:
                break


def watch_helper(t):
    seen = queue.Queue()
    watcher = t.client.Watcher(key="h/", prefix=True, prev_kv=True)
    watcher.onEvent(seen.put)
    watcher.onEvent(models.EventEventType.DELETE, lambda event: seen.put(f"deleted {event.key}"))
    watcher.onEvent("h/[x-z]", lambda event: seen.put(f"x to z: {event.key}"))
    revision = t.client.put("elsewhere", "").header.revision
    watcher.start_revision = revision + 1
    watcher.runDaemon()
    t.client.put("h/x", "1")
    t.client.put("h/x", "2")
    t.client.delete_range("h/x")
    for _ in range(7):  # three events, one deletion, three times x
        event = seen.get(timeout=PATIENCE_SECONDS)
        said = event if isinstance(event, str) else f"{event.type} {event.key} {event.value} {event.mod_revision}"
        say("Watcher: event", said)
    watcher.stop()
    once = t.client.Watcher(key="h/y", start_revision=revision + 1)
    t.client.put("h/y", "once")
    event = once.watch_once(timeout=PATIENCE_SECONDS)
    say("Watcher: watch_once", f"{event.type} {event.key} {event.value}")
    silent = t.client.Watcher(key="h/silent", max_retries=0)
    say("Watcher: watch_once that times out", silent.watch_once(timeout=1))
    compacted = t.client.Watcher(key="h/x", start_revision=2, max_retries=0)
    t.of("Watcher: below the compaction", lambda: compacted.watch_once(timeout=PATIENCE_SECONDS))


def locks(t):
    t.lease_grant(TTL=600, ID=LEASE)
    t.lease_grant(TTL=600, ID=OTHER_LEASE)
    t.lock("door", lease=LEASE)
    waiting = queue.Queue()
    theirs = connect()
    waiter = threading.Thread(target=lambda: waiting.put(theirs.lock("door", lease=OTHER_LEASE)))
    waiter.start()
    while len(t.client.range("door/", prefix=True).kvs) < 2:
        pass
    say("lock: the second waits", waiting.empty())
    t.unlock(f"door/{LEASE:x}")
    say("lock: the second's turn", waiting.get(timeout=PATIENCE_SECONDS).key)
    waiter.join()
    t.unlock(f"door/{OTHER_LEASE:x}")
    t.unlock("door/nobody")
    t.lock("door", lease=4000)
    t.lease_revoke(LEASE)
    t.lease_revoke(OTHER_LEASE)
    say("lock without a lease", re.sub(r"/[0-9a-f]+'", "/*'", repr(t.client.lock("gate").key)))


def insist(lock):
    # The helper looks, then watches, and misses a release between the two.
    while True:
        try:
            return lock.acquire(timeout=1)
        except EtcdLockAcquireTimeout:
            pass


def lock_helper(t):
    mine = t.client.Lock("shed", lock_ttl=10)
    theirs = connect().Lock("shed", lock_ttl=10)
    mine.acquire()
    say("Lock: mine", [mine.is_acquired, mine.holders()])
    say("Lock: theirs, not waiting", theirs.acquire(block=False))
    t.of("Lock: theirs, waiting for a second", lambda: theirs.acquire(timeout=1))
    taken = threading.Thread(target=insist, args=[theirs])
    taken.start()
    mine.release()
    taken.join()
    say("Lock: theirs", [mine.is_acquired, theirs.is_acquired])
    theirs.release()
    say("Lock: nobody's", t.client.range("_locks/", prefix=True).kvs)
    reentrant = t.client.Lock("attic", lock_ttl=10, reentrant=etcd3.Lock.THREAD)
    with reentrant:
        with t.client.Lock("attic", lock_ttl=10, reentrant=etcd3.Lock.THREAD) as again:
            say("Lock: reentrant", [again.is_acquired, again.holders()])
        say("Lock: still held once", reentrant.holders())


def cluster_and_maintenance(t):
    t.member_list()
    t.member_remove(4000)
    t.status()
    t.alarm_get(0, models.etcdserverpbAlarmType.NONE)
    member = t.client.member_list().members[0].ID
    t.of("alarm_activate", lambda: t.client.alarm_activate(member, models.etcdserverpbAlarmType.NOSPACE))
    t.put("full", "")
    t.of("alarm_deactivate", lambda: t.client.alarm_deactivate(member, models.etcdserverpbAlarmType.NOSPACE))
    t.alarm(0)
    t.defragment()
    t.hash()
    left, blobs = None, 0
    for part in t.client.snapshot():
        left, blobs = part.remaining_bytes, blobs + len(part.blob)
    say("snapshot", [left, blobs > 0])
    t.version()
    t.health()
    say("metrics", len(list(t.client.metrics())) > 0)


def users_and_roles(t):
    t.user_add("root", "top")
    t.user_add("ann", "secret")
    t.user_add("ann", "secret")
    t.user_add("", "")
    t.role_add("root")
    t.role_add("reader")
    t.role_add("reader")
    t.role_grant_permission("reader", "r/", prefix=True)
    t.role_grant_permission("reader", "own", permType=models.authpbPermissionType.READWRITE)
    t.role_grant_permission("reader", all=True, permType=models.authpbPermissionType.WRITE)
    t.role_grant_permission("nobody", "own")
    t.role_get("reader")
    t.role_get("nobody")
    t.role_revoke_permission("reader", all=True)
    t.role_revoke_permission("reader", "never")
    t.role_list()
    t.user_grant_role("ann", "reader")
    t.user_grant_role("ann", "nobody")
    t.user_get("ann")
    t.user_get("nobody")
    t.user_list()
    t.user_change_password("ann", "more secret")
    t.user_change_password("nobody", "x")
    t.authenticate("ann", "more secret")
    t.auth_disable()
    t.user_revoke_role("ann", "reader")
    t.user_revoke_role("ann", "reader")
    t.role_delete("reader")
    t.role_delete("reader")
    t.user_delete("ann")
    t.user_delete("ann")
    t.user_delete("root")
    t.role_delete("root")


def authentication(t):
    t.put("r/1", "one")
    t.auth_enable()
    for name, password, role in [("root", "top", "root"), ("ann", "secret", "reader")]:
        t.user_add(name, password)
        t.role_add(role)
        t.user_grant_role(name, role)
    t.role_grant_permission("reader", "r/", prefix=True)
    t.auth_enable()
    t.range("r/1")
    t.auth("ann", "wrong")
    ann = Transcript(connect())
    ann.auth("ann", "secret")
    ann.range("r/", prefix=True)
    ann.put("r/1", "mine")
    ann.range("elsewhere")
    ann.txn(compare=[], success=[ann.client.range("s", txn_obj=True)], failure=[])
    ann.user_list()
    ann.user_get("ann")
    ann.lease_grant(TTL=600, ID=LEASE)
    ann.lease_keep_alive_once(LEASE)
    with ann.client.watch_create("r/", prefix=True, start_revision=1) as messages:
        event = next(message.events[0] for message in messages if message.events)
        say("ann's watch_create", repr(event))
    for message in ann.client.watch_create("s"):
        say("ann's watch_create elsewhere", repr(message))
        break
    forged = Transcript(connect(token="forged.1"))
    forged.range("r/1")
    t.auth("root", "top")
    t.user_change_password("ann", "new secret")
    ann.range("r/1")
    ann.auth("ann", "new secret")
    ann.range("r/1")
    t.role_delete("reader")
    ann.range("r/1")
    t.user_revoke_role("root", "root")
    t.auth_disable()
    ann.range("r/1")


async def asynchronous():
    client = connect(etcd3.AioClient)
    put = await client.put("aio", "1", prev_kv=True)
    say("AioClient: put", repr(put))
    say("AioClient: range", repr(await client.range("aio")))
    txn = client.Txn()
    txn.If(txn.key("aio").value == "1")
    txn.Then(txn.put("aio", "2"))
    say("AioClient: Txn", repr(await txn.commit()))
    say("AioClient: lease_grant", repr(await client.lease_grant(TTL=600, ID=LEASE)))
    async for message in client.lease_keep_alive(b'{"ID":%d}\n' % LEASE):
        say("AioClient: lease_keep_alive", repr(message))
        break
    say("AioClient: lease_revoke", repr(await client.lease_revoke(LEASE)))
    watching = client.watch_create("aio")
    async for message in watching:
        if message.events:
            say("AioClient: watch_create", repr(message))
            break
        await client.put("aio", "3")
    watching.close()
    say("AioClient: member_list", repr(await client.member_list()))
    say("AioClient: delete_range", repr(await client.delete_range("aio", prev_kv=True)))
    await client.close()


def main():
    transcript = Transcript(connect())
    if "EDGETCD_AUTH" in os.environ:
        authentication(transcript)
        return
    for part in [
        keys,
        transactions,
        leases,
        lease_helper,
        watches,
        watch_helper,
        locks,
        lock_helper,
        cluster_and_maintenance,
        users_and_roles,
    ]:
        part(transcript)
    asyncio.run(asynchronous())


if __name__ == "__main__":
    main()
