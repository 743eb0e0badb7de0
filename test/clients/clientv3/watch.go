package main

import (
	"context"
	"fmt"
	"strings"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// Takes events until there are so many, in their order.
func events(watch clientv3.WatchChan, count int) []*clientv3.Event {
	var all []*clientv3.Event
	for len(all) < count {
		answer := next("a watch", watch)
		ok(answer.Err())
		all = append(all, answer.Events...)
	}
	equal("the number of events", len(all), count)
	return all
}

var watchChecks = []check{
	{"many watches on one stream see their own events, in order", func(s *scene) {
		const watches, writes = 100, 5
		var channels []clientv3.WatchChan
		for i := range watches {
			channels = append(channels, s.client.Watch(s.ctx, fmt.Sprintf("%s%d/", s.prefix, i), clientv3.WithPrefix(), clientv3.WithCreatedNotify()))
		}
		for _, channel := range channels {
			equal("created", next("the created answer", channel).Created, true)
		}
		for n := range writes {
			for i := range watches {
				must(s.client.Put(s.ctx, fmt.Sprintf("%s%d/k", s.prefix, i), fmt.Sprint(n)))
			}
		}
		for i, channel := range channels {
			for n, event := range events(channel, writes) {
				equal("key", string(event.Kv.Key), fmt.Sprintf("%s%d/k", s.prefix, i))
				equal("value", string(event.Kv.Value), fmt.Sprint(n))
			}
		}
	}},
	{"a cancelled watch ends, and the others of its stream go on", func(s *scene) {
		ctx, cancel := context.WithCancel(s.ctx)
		first := s.client.Watch(ctx, s.prefix, clientv3.WithCreatedNotify())
		second := s.client.Watch(s.ctx, s.prefix, clientv3.WithCreatedNotify())
		next("created", first)
		next("created", second)
		cancel()
		for range first {
		}
		must(s.client.Put(s.ctx, s.prefix, "x"))
		events(second, 1)
	}},
	{"the past, what was before, deletes and filters", func(s *scene) {
		key := s.prefix + "k"
		first := must(s.client.Put(s.ctx, key, "1")).Header.Revision
		must(s.client.Put(s.ctx, key, "2"))
		deleted := must(s.client.Delete(s.ctx, key)).Header.Revision
		seen := events(s.client.Watch(s.ctx, key, clientv3.WithRev(first), clientv3.WithPrevKV()), 3)
		equal("created", seen[0].IsCreate(), true)
		equal("modified", seen[1].IsModify(), true)
		equal("before it", string(seen[1].PrevKv.Value), "1")
		equal("deleted", seen[2].Type, clientv3.EventTypeDelete)
		equal("before that", string(seen[2].PrevKv.Value), "2")
		puts := s.client.Watch(s.ctx, key, clientv3.WithRev(first), clientv3.WithFilterDelete())
		events(puts, 2)
		deletes := s.client.Watch(s.ctx, key, clientv3.WithRev(first), clientv3.WithFilterPut())
		equal("the delete", events(deletes, 1)[0].Kv.ModRevision, deleted)
	}},
	{"progress that is asked for comes at once, and only when it is true", func(s *scene) {
		watch := s.client.Watch(s.ctx, s.prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
		next("created", watch)
		for n := range 10 {
			revision := must(s.client.Put(s.ctx, fmt.Sprintf("%s%d", s.prefix, n), "x")).Header.Revision
			ok(s.client.RequestProgress(s.ctx))
			hasSeen := false
			for {
				answer := next("progress", watch)
				for _, event := range answer.Events {
					hasSeen = hasSeen || event.Kv.ModRevision == revision
				}
				if answer.IsProgressNotify() && answer.Header.Revision >= revision {
					break
				}
				// etcd doesn't answer while the watch isn't in step.
				if len(answer.Events) > 0 {
					ok(s.client.RequestProgress(s.ctx))
				}
			}
			equal("the event came before the progress", hasSeen, true)
		}
	}},
	{"a large revision comes in fragments, put together by the client", func(s *scene) {
		watch := s.client.Watch(s.ctx, s.prefix, clientv3.WithPrefix(), clientv3.WithFragment(), clientv3.WithCreatedNotify(), clientv3.WithPrevKV())
		next("created", watch)
		const keys = 12
		for range 2 {
			var puts []clientv3.Op
			for i := range keys {
				puts = append(puts, clientv3.OpPut(fmt.Sprintf("%s%02d", s.prefix, i), strings.Repeat("x", 110_000)))
			}
			must(s.client.Txn(s.ctx).Then(puts...).Commit())
			equal("events of one answer", len(next("fragments", watch).Events), keys)
		}
	}},
	{"a compacted revision is told, with the revision of the compaction", func(s *scene) {
		first := must(s.client.Put(s.ctx, s.prefix, "1")).Header.Revision
		last := must(s.client.Put(s.ctx, s.prefix, "2")).Header.Revision
		must(s.client.Compact(s.ctx, last))
		watch := s.client.Watch(s.ctx, s.prefix, clientv3.WithRev(first))
		answer := next("the refusal", watch)
		fails(answer.Err(), rpctypes.ErrCompacted)
		equal("cancelled", answer.Canceled, true)
		equal("compact revision", answer.CompactRevision, last)
		if _, open := <-watch; open {
			panic("the watch goes on")
		}
		_, err := s.client.Get(s.ctx, s.prefix, clientv3.WithRev(first))
		fails(err, rpctypes.ErrCompacted)
		_, err = s.client.Compact(s.ctx, first)
		fails(err, rpctypes.ErrCompacted)
	}},
	{"a watch of the future begins there", func(s *scene) {
		now := must(s.client.Put(s.ctx, s.prefix, "now")).Header.Revision
		begin := now + 20
		watch := s.client.Watch(s.ctx, s.prefix, clientv3.WithRev(begin), clientv3.WithCreatedNotify())
		next("created", watch)
		for now < begin {
			now = must(s.client.Put(s.ctx, s.prefix, "x")).Header.Revision
		}
		equal("the first", events(watch, 1)[0].Kv.ModRevision, now)
	}},
	{"a watch that requires a leader has one", func(s *scene) {
		watch := s.client.Watch(clientv3.WithRequireLeader(s.ctx), s.prefix, clientv3.WithCreatedNotify())
		next("created", watch)
		must(s.client.Put(clientv3.WithRequireLeader(s.ctx), s.prefix, "x"))
		events(watch, 1)
	}},
}
