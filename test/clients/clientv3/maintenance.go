package main

import (
	"crypto/sha256"
	"io"

	clientv3 "go.etcd.io/etcd/client/v3"
)

var maintenanceChecks = []check{
	{"the cluster has one member, which is its leader", func(s *scene) {
		members := must(s.client.MemberList(s.ctx))
		equal("members", len(members.Members), 1)
		status := must(s.client.Status(s.ctx, s.endpoint))
		equal("leader", status.Leader, members.Members[0].ID)
		equal("member", status.Header.MemberId, members.Header.MemberId)
		equal("version", status.Version[:4], "3.6.")
		equal("size", status.DbSize > 0, true)
		equal("alarms", len(must(s.client.AlarmList(s.ctx)).Alarms), 0)
		must(s.client.Defragment(s.ctx, s.endpoint))
		ok(s.client.Sync(s.ctx))
		equal("endpoint", s.client.Endpoints()[0], s.endpoint)
	}},
	{"a hash is the same for the same history", func(s *scene) {
		revision := must(s.client.Put(s.ctx, s.prefix, "x")).Header.Revision
		first := must(s.client.HashKV(s.ctx, s.endpoint, revision))
		must(s.client.Put(s.ctx, s.prefix, "y"))
		equal("hash", must(s.client.HashKV(s.ctx, s.endpoint, revision)).Hash, first.Hash)
		equal("another", must(s.client.HashKV(s.ctx, s.endpoint, 0)).Hash == first.Hash, false)
	}},
	{"a snapshot ends with its digest", func(s *scene) {
		must(s.client.Put(s.ctx, s.prefix, "x"))
		snapshot := must(s.client.SnapshotWithVersion(s.ctx))
		equal("version", snapshot.Version, "3.6.0")
		saved := must(io.ReadAll(snapshot.Snapshot))
		content := len(saved) - sha256.Size
		equal("blocks", content%512, 0)
		equal("digest", sha256.Sum256(saved[:content]), [sha256.Size]byte(saved[content:]))
	}},
	{"what is compacted is gone", func(s *scene) {
		must(s.client.Put(s.ctx, s.prefix, "1"))
		last := must(s.client.Put(s.ctx, s.prefix, "2")).Header.Revision
		must(s.client.Compact(s.ctx, last, clientv3.WithCompactPhysical()))
		equal("value", string(must(s.client.Get(s.ctx, s.prefix)).Kvs[0].Value), "2")
	}},
}
