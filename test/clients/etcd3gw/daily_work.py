"""What programs do with etcd3gw all day, against the server whose port is in EDGETCD_PORT."""

import base64
import os
import queue
import threading
import time
import unittest
import uuid

import etcd3gw
from etcd3gw import exceptions


def connect():
    return etcd3gw.client(host="127.0.0.1", port=int(os.environ["EDGETCD_PORT"]), timeout=10, api_path=None)


def encoded(text):
    return base64.b64encode(text.encode()).decode()


class DailyWork(unittest.TestCase):
    def setUp(self):
        self.client = connect()
        self.prefix = f"/{uuid.uuid4()}/"

    def key(self, name):
        return self.prefix + name

    def test_finds_the_api_by_the_version(self):
        self.assertEqual(self.client.api_path, "/v3/")
        self.assertIn("version", self.client.status())
        self.assertTrue(self.client.members())

    def test_put_get_delete(self):
        key = self.key("greeting")
        self.assertEqual(self.client.get(key), [])
        self.assertTrue(self.client.put(key, "hello"))
        self.assertTrue(self.client.put(key, b"\x00\xff"))
        [(value, record)] = self.client.get(key, metadata=True)
        self.assertEqual(value, b"\x00\xff")
        self.assertEqual(record["version"], "2")
        self.assertTrue(self.client.delete(key))
        self.assertFalse(self.client.delete(key))

    def test_get_prefix_in_any_order(self):
        for name in ["b", "a", "c"]:
            self.client.put(self.key(name), name * 2)
        self.client.put(self.prefix[:-1] + "0", "beyond the prefix")
        values = [value for value, _ in self.client.get_prefix(self.prefix)]
        self.assertEqual(values, [b"aa", b"bb", b"cc"])
        newest = self.client.get_prefix(self.prefix, sort_order="descend", sort_target="mod")
        self.assertEqual([value for value, _ in newest], [b"cc", b"aa", b"bb"])
        self.assertTrue(self.client.delete_prefix(self.prefix))
        self.assertEqual(self.client.get_prefix(self.prefix), [])

    def test_create_and_replace_are_atomic(self):
        key = self.key("once")
        self.assertTrue(self.client.create(key, "first"))
        self.assertFalse(self.client.create(key, "second"))
        self.assertFalse(self.client.replace(key, "second", "third"))
        self.assertTrue(self.client.replace(key, "first", "third"))
        self.assertEqual(self.client.get(key), [b"third"])

    def test_transaction(self):
        key = encoded(self.key("balance"))
        put = {"request_put": {"key": key, "value": encoded("100")}}
        absent = {"key": key, "result": "EQUAL", "target": "VERSION", "version": 0}
        read = {"request_range": {"key": key}}
        txn = {"compare": [absent], "success": [put], "failure": [read]}
        self.assertTrue(self.client.transaction(txn)["succeeded"])
        again = self.client.transaction(txn)
        self.assertNotIn("succeeded", again)
        [record] = again["responses"][0]["response_range"]["kvs"]
        self.assertEqual(record["value"], encoded("100"))

    def test_lease_and_refresh(self):
        lease = self.client.lease(ttl=30)
        key = self.key("leased")
        self.client.put(key, "here", lease=lease)
        self.assertIn(key.encode(), lease.keys())
        self.assertGreaterEqual(lease.ttl(), 20)
        self.assertEqual(lease.refresh(), 30)
        self.assertTrue(lease.revoke())
        self.assertEqual(self.client.get(key), [])
        self.assertEqual(lease.refresh(), -1)
        self.assertEqual(lease.ttl(), -1)

    def test_a_lease_that_nobody_refreshes_ends(self):
        lease = self.client.lease(ttl=4)
        key = self.key("short")
        self.client.put(key, "here", lease=lease)
        events, cancel = self.client.watch(key)
        self.addCleanup(cancel)
        self.assertEqual(next(events)["type"], "DELETE")
        self.assertEqual(self.client.get(key), [])

    def test_put_on_a_lease_that_is_not_there(self):
        lease = self.client.lease(ttl=30)
        lease.revoke()
        with self.assertRaises(exceptions.Etcd3Exception) as caught:
            self.client.put(self.key("orphan"), "x", lease=lease)
        self.assertIn("etcdserver: requested lease not found", str(caught.exception.detail_text))

    def test_lock(self):
        name = f"lock-{uuid.uuid4()}"
        mine, theirs = self.client.lock(name, ttl=30), connect().lock(name, ttl=30)
        self.assertTrue(mine.acquire())
        self.assertFalse(theirs.acquire())
        self.assertTrue(mine.is_acquired())
        self.assertFalse(theirs.release())
        self.assertEqual(mine.refresh(), 30)
        self.assertTrue(mine.release())
        self.assertTrue(theirs.acquire())
        self.assertTrue(theirs.release())

    def test_many_threads_count_without_losing_any(self):
        key = self.key("counter")
        self.client.put(key, "0")

        def count_up():
            client = connect()
            for _ in range(10):
                while True:
                    [value] = client.get(key)
                    if client.replace(key, value, str(int(value) + 1)):
                        break

        threads = [threading.Thread(target=count_up) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(self.client.get(key), [b"40"])

    def test_watch_prefix(self):
        seen = queue.Queue()
        events, cancel = self.client.watch_prefix(self.prefix)

        def collect():
            for event in events:
                seen.put((event.get("type", "PUT"), event["kv"]["key"].decode(), event["kv"].get("value")))

        threading.Thread(target=collect, daemon=True).start()
        writer = connect()
        for number in range(50):
            writer.put(self.key(f"{number % 5}"), str(number))
        writer.delete_prefix(self.prefix)
        puts = [("PUT", self.key(f"{number % 5}"), str(number).encode()) for number in range(50)]
        deletes = [("DELETE", self.key(f"{number}"), None) for number in range(5)]
        self.assertEqual([seen.get(timeout=10) for _ in range(55)], puts + deletes)
        cancel()

    def test_watch_prefix_from_the_past(self):
        self.client.put(self.key("a"), "old")
        [(_, record)] = self.client.get(self.key("a"), metadata=True)
        self.client.put(self.key("a"), "new")
        events, cancel = self.client.watch_prefix(self.prefix, start_revision=int(record["mod_revision"]), prev_kv=True)
        self.addCleanup(cancel)
        self.assertEqual(next(events)["kv"]["value"], b"old")
        second = next(events)
        self.assertEqual(second["kv"]["value"], b"new")
        self.assertEqual(second["prev_kv"]["value"], encoded("old"))

    def test_watch_once_times_out_in_silence(self):
        started = time.monotonic()
        with self.assertRaises(exceptions.WatchTimedOut):
            self.client.watch_once(self.key("silent"), timeout=1)
        self.assertLess(time.monotonic() - started, 9)
