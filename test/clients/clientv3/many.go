package main

import (
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"
)

var manyChecks = []check{
	{"5,000 watches of one client, each of which sees its events", func(s *scene) {
		const watches = 5000
		please("measure")
		var channels []clientv3.WatchChan
		for i := range watches {
			channels = append(channels, s.client.Watch(s.ctx, fmt.Sprintf("%s%d/", s.prefix, i), clientv3.WithPrefix(), clientv3.WithCreatedNotify()))
		}
		for _, channel := range channels {
			next("created", channel)
		}
		all := s.client.Watch(s.ctx, s.prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
		next("created", all)
		please("measure")
		for i := 0; i < watches; i += 100 {
			var puts []clientv3.Op
			for j := range 100 {
				puts = append(puts, clientv3.OpPut(fmt.Sprintf("%s%d/k", s.prefix, i+j), "x"))
			}
			must(s.client.Txn(s.ctx).Then(puts...).Commit())
		}
		for _, channel := range channels {
			events(channel, 1)
		}
		events(all, watches)
		please("measure")
	}},
}
