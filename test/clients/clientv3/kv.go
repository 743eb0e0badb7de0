package main

import (
	"fmt"
	"strings"

	clientv3 "go.etcd.io/etcd/client/v3"
)

var kvChecks = []check{
	{"what is put is got, with its revisions and version", func(s *scene) {
		key := s.prefix + "k"
		first := must(s.client.Put(s.ctx, key, "one"))
		second := must(s.client.Put(s.ctx, key, "two", clientv3.WithPrevKV()))
		equal("the previous value", string(second.PrevKv.Value), "one")
		equal("a later revision", second.Header.Revision > first.Header.Revision, true)
		got := must(s.client.Get(s.ctx, key))
		kv := got.Kvs[0]
		equal("value", string(kv.Value), "two")
		equal("create revision", kv.CreateRevision, first.Header.Revision)
		equal("mod revision", kv.ModRevision, second.Header.Revision)
		equal("version", kv.Version, 2)
		old := must(s.client.Get(s.ctx, key, clientv3.WithRev(first.Header.Revision), clientv3.WithSerializable()))
		equal("value of before", string(old.Kvs[0].Value), "one")
	}},
	{"ranges are limited, sorted, filtered and counted", func(s *scene) {
		for i := range 5 {
			must(s.client.Put(s.ctx, fmt.Sprintf("%s%d", s.prefix, i), strings.Repeat("x", 5-i)))
		}
		keys := func(options ...clientv3.OpOption) string {
			options = append(options, clientv3.WithPrefix())
			answer := must(s.client.Get(s.ctx, s.prefix, options...))
			var names []string
			for _, kv := range answer.Kvs {
				names = append(names, strings.TrimPrefix(string(kv.Key), s.prefix))
			}
			return fmt.Sprint(strings.Join(names, ""), " of ", answer.Count, " ", answer.More)
		}
		equal("limit", keys(clientv3.WithLimit(2)), "01 of 5 true")
		equal("descending", keys(clientv3.WithSort(clientv3.SortByKey, clientv3.SortDescend)), "43210 of 5 false")
		equal("by value", keys(clientv3.WithSort(clientv3.SortByValue, clientv3.SortAscend), clientv3.WithLimit(2)), "43 of 5 true")
		equal("last created", keys(clientv3.WithLastCreate()...), "4 of 5 true")
		equal("count", keys(clientv3.WithCountOnly()), " of 5 false")
		third := must(s.client.Get(s.ctx, s.prefix+"2")).Kvs[0].ModRevision
		equal("from a revision", keys(clientv3.WithMinModRev(third)), "234 of 5 false")
		equal("up to a revision", keys(clientv3.WithMaxCreateRev(third)), "012 of 5 false")
		deleted := must(s.client.Delete(s.ctx, s.prefix, clientv3.WithPrefix(), clientv3.WithPrevKV()))
		equal("deleted", deleted.Deleted, 5)
		equal("deleted and shown", len(deleted.PrevKvs), 5)
	}},
	{"a transaction takes one of two branches, nested ones too", func(s *scene) {
		a, b := s.prefix+"a", s.prefix+"b"
		must(s.client.Put(s.ctx, a, "1"))
		answer := must(s.client.Txn(s.ctx).
			If(clientv3.Compare(clientv3.Value(a), "=", "1"), clientv3.Compare(clientv3.Version(b), "=", 0)).
			Then(clientv3.OpPut(b, "2"), clientv3.OpGet(s.prefix, clientv3.WithPrefix()),
				clientv3.OpTxn([]clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(a), ">", 0)},
					[]clientv3.Op{clientv3.OpDelete(a)}, nil)).
			Else(clientv3.OpPut(a, "wrong")).Commit())
		equal("succeeded", answer.Succeeded, true)
		equal("got", len(answer.Responses[1].GetResponseRange().Kvs), 2)
		equal("deleted", answer.Responses[2].GetResponseTxn().Responses[0].GetResponseDeleteRange().Deleted, 1)
		answer = must(s.client.Txn(s.ctx).
			If(clientv3.Compare(clientv3.CreateRevision(s.prefix), ">", 0).WithPrefix()).
			Then(clientv3.OpGet(b)).Commit())
		equal("a comparison of a range", answer.Succeeded, true)
	}},
	{"a large value comes whole", func(s *scene) {
		value := strings.Repeat("0123456789", 100_000)
		must(s.client.Put(s.ctx, s.prefix, value))
		equal("same", string(must(s.client.Get(s.ctx, s.prefix)).Kvs[0].Value) == value, true)
	}},
}
