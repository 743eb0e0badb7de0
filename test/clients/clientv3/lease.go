package main

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

var leaseChecks = []check{
	{"many leases are kept alive on one stream", func(s *scene) {
		const leases = 50
		var channels []<-chan *clientv3.LeaseKeepAliveResponse
		var ids []clientv3.LeaseID
		for range leases {
			lease := must(s.client.Grant(s.ctx, 5))
			ids = append(ids, lease.ID)
			must(s.client.Put(s.ctx, fmt.Sprintf("%s%x", s.prefix, lease.ID), "x", clientv3.WithLease(lease.ID)))
			channels = append(channels, must(s.client.KeepAlive(s.ctx, lease.ID)))
		}
		// At a third of the TTL each: five of them are longer than that.
		for range 5 {
			for i, channel := range channels {
				answer := next("a keep-alive", channel)
				equal("lease", answer.ID, ids[i])
				equal("TTL", answer.TTL, 5)
			}
		}
		equal("keys", must(s.client.Get(s.ctx, s.prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())).Count, leases)
		equal("listed", len(must(s.client.Leases(s.ctx)).Leases) >= leases, true)
	}},
	{"a lease has its keys and its time, and takes them with it", func(s *scene) {
		lease := must(s.client.Grant(s.ctx, 100)).ID
		must(s.client.Put(s.ctx, s.prefix, "x", clientv3.WithLease(lease)))
		watch := s.client.Watch(s.ctx, s.prefix, clientv3.WithCreatedNotify())
		next("created", watch)
		left := must(s.client.TimeToLive(s.ctx, lease, clientv3.WithAttachedKeys()))
		equal("granted", left.GrantedTTL, 100)
		equal("keys", string(left.Keys[0]), s.prefix)
		channel := must(s.client.KeepAlive(s.ctx, lease))
		next("a keep-alive", channel)
		must(s.client.Revoke(s.ctx, lease))
		equal("deleted", events(watch, 1)[0].Type, clientv3.EventTypeDelete)
		equal("gone", must(s.client.TimeToLive(s.ctx, lease)).TTL, -1)
	}},
	{"what isn't kept alive expires", func(s *scene) {
		lease := must(s.client.Grant(s.ctx, 3)).ID
		watch := s.client.Watch(s.ctx, s.prefix)
		must(s.client.Put(s.ctx, s.prefix, "x", clientv3.WithLease(lease)))
		equal("then", events(watch, 2)[1].Type, clientv3.EventTypeDelete)
	}},
	{"a keep-alive that isn't wanted any more ends", func(s *scene) {
		lease := must(s.client.Grant(s.ctx, 100)).ID
		ctx, cancel := context.WithCancel(s.ctx)
		channel := must(s.client.KeepAlive(ctx, lease))
		next("a keep-alive", channel)
		cancel()
		for range channel {
		}
		must(s.client.KeepAliveOnce(s.ctx, lease))
	}},
}
