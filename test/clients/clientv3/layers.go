package main

import (
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/leasing"
	"go.etcd.io/etcd/client/v3/namespace"
	"go.etcd.io/etcd/client/v3/ordering"
)

var layerChecks = []check{
	{"leasing: what one has cached, another's write takes back", func(s *scene) {
		other := connect(s.endpoint, clientv3.Config{})
		defer other.Close()
		mine, closeMine, err := leasing.NewKV(s.client, s.prefix+"leases/")
		ok(err)
		defer closeMine()
		theirs, closeTheirs, err := leasing.NewKV(other, s.prefix+"leases/")
		ok(err)
		defer closeTheirs()
		key := s.prefix + "k"
		must(mine.Put(s.ctx, key, "1"))
		for _, value := range []string{"2", "3"} {
			must(mine.Get(s.ctx, key))
			must(theirs.Put(s.ctx, key, value))
			equal("value", string(must(mine.Get(s.ctx, key)).Kvs[0].Value), value)
		}
		must(theirs.Get(s.ctx, key))
		answer := must(mine.Txn(s.ctx).If(clientv3.Compare(clientv3.Value(key), "=", "3")).
			Then(clientv3.OpPut(key, "4"), clientv3.OpGet(key)).Commit())
		equal("succeeded", answer.Succeeded, true)
		equal("value", string(must(theirs.Get(s.ctx, key)).Kvs[0].Value), "4")
		must(mine.Delete(s.ctx, s.prefix+"k", clientv3.WithPrefix()))
		equal("count", must(theirs.Get(s.ctx, key)).Count, 0)
	}},
	{"namespace: keys have a prefix that the program doesn't see", func(s *scene) {
		kv := namespace.NewKV(s.client.KV, s.prefix)
		watcher := namespace.NewWatcher(s.client.Watcher, s.prefix)
		lease := namespace.NewLease(s.client.Lease, s.prefix)
		watch := watcher.Watch(s.ctx, "", clientv3.WithFromKey(), clientv3.WithCreatedNotify())
		next("created", watch)
		granted := must(lease.Grant(s.ctx, 100)).ID
		must(kv.Put(s.ctx, "a", "1", clientv3.WithLease(granted)))
		equal("event", string(events(watch, 1)[0].Kv.Key), "a")
		equal("got", string(must(kv.Get(s.ctx, "", clientv3.WithFromKey())).Kvs[0].Key), "a")
		equal("really", must(s.client.Get(s.ctx, s.prefix+"a")).Count, 1)
		equal("of the lease", string(must(lease.TimeToLive(s.ctx, granted, clientv3.WithAttachedKeys())).Keys[0]), "a")
		answer := must(kv.Txn(s.ctx).If(clientv3.Compare(clientv3.Value("a"), "=", "1")).Then(clientv3.OpDelete("a")).Commit())
		equal("succeeded", answer.Succeeded, true)
	}},
	{"ordering: revisions never go back", func(s *scene) {
		kv := ordering.NewKV(s.client.KV, ordering.NewOrderViolationSwitchEndpointClosure(s.client))
		for range 20 {
			must(kv.Put(s.ctx, s.prefix, "x"))
			must(kv.Get(s.ctx, s.prefix, clientv3.WithSerializable()))
			must(kv.Txn(s.ctx).Then(clientv3.OpGet(s.prefix)).Commit())
		}
	}},
}
