package main

import (
	"fmt"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

var restartChecks = []check{
	{"watches, leases and calls go on after the server was started anew", func(s *scene) {
		watch := s.client.Watch(s.ctx, s.prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
		next("created", watch)
		lease := must(s.client.Grant(s.ctx, 60)).ID
		kept := must(s.client.KeepAlive(s.ctx, lease))
		next("a keep-alive", kept)
		must(s.client.Put(s.ctx, s.prefix+"1", "before", clientv3.WithLease(lease)))
		events(watch, 1)
		please("restart")
		other := connect(s.endpoint, clientv3.Config{})
		defer other.Close()
		for n := range 20 {
			must(other.Put(s.ctx, fmt.Sprintf("%safter/%02d", s.prefix, n), "x"))
		}
		for n, event := range events(watch, 20) {
			equal("key", string(event.Kv.Key), fmt.Sprintf("%safter/%02d", s.prefix, n))
		}
		must(s.client.Put(s.ctx, s.prefix+"2", "after", clientv3.WithLease(lease)))
		must(s.client.KeepAliveOnce(s.ctx, lease))
	}},
}

var outageChecks = []check{
	{"a watch that requires a leader ends when there is none, and others wait", func(s *scene) {
		demanding := s.client.Watch(clientv3.WithRequireLeader(s.ctx), s.prefix, clientv3.WithCreatedNotify())
		patient := s.client.Watch(s.ctx, s.prefix, clientv3.WithCreatedNotify())
		next("created", demanding)
		next("created", patient)
		// Longer than the outage, even on a busy machine: the client gives a lease up when its time is over.
		lease := must(s.client.Grant(s.ctx, 30)).ID
		kept := must(s.client.KeepAlive(s.ctx, lease))
		next("a keep-alive", kept)
		please("outage")
		begun := time.Now()
		answer := next("the end", demanding)
		fails(answer.Err(), rpctypes.ErrNoLeader)
		equal("in time", time.Since(begun) < 15*time.Second, true)
		again := s.client.Watch(clientv3.WithRequireLeader(s.ctx), s.prefix, clientv3.WithCreatedNotify())
		answer = next("the refusal", again)
		fails(answer.Err(), rpctypes.ErrNoLeader)
		please("recover")
		must(s.client.Put(s.ctx, s.prefix, "x"))
		events(patient, 1)
		watch := s.client.Watch(clientv3.WithRequireLeader(s.ctx), s.prefix, clientv3.WithCreatedNotify())
		next("created", watch)
		for len(kept) > 0 {
			<-kept
		}
		equal("the lease is kept alive", next("a keep-alive", kept).TTL, 30)
	}},
}
