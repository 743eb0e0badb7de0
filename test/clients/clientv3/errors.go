package main

import (
	"context"
	"strings"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
)

var errorChecks = []check{
	{"errors are those that programs compare with", func(s *scene) {
		c, ctx, key := s.client, s.ctx, s.prefix+"k"
		revision := must(c.Put(ctx, key, "x")).Header.Revision
		_, err := c.Put(ctx, "", "x")
		fails(err, rpctypes.ErrEmptyKey)
		_, err = c.Put(ctx, key, "x", clientv3.WithLease(4711))
		fails(err, rpctypes.ErrLeaseNotFound)
		_, err = c.Put(ctx, s.prefix+"absent", "", clientv3.WithIgnoreValue())
		fails(err, rpctypes.ErrKeyNotFound)
		_, err = c.Get(ctx, key, clientv3.WithRev(revision+1000))
		fails(err, rpctypes.ErrFutureRev)
		_, err = c.Txn(ctx).Then(clientv3.OpPut(key, "1"), clientv3.OpPut(key, "2")).Commit()
		fails(err, rpctypes.ErrDuplicateKey)
		_, err = c.Put(ctx, key, strings.Repeat("x", 1<<21-400))
		fails(err, rpctypes.ErrRequestTooLarge)
		_, err = c.Compact(ctx, revision+1000)
		fails(err, rpctypes.ErrFutureRev)
		_, err = c.Revoke(ctx, 4711)
		fails(err, rpctypes.ErrLeaseNotFound)
		lease := must(c.Grant(ctx, 100))
		_, err = c.Grant(ctx, 99_999_999_999)
		fails(err, rpctypes.ErrLeaseTTLTooLarge)
		_, err = c.KeepAliveOnce(ctx, 4711)
		fails(err, rpctypes.ErrLeaseNotFound)
		must(c.Revoke(ctx, lease.ID))
		_, err = c.MemberRemove(ctx, 4711)
		fails(err, rpctypes.ErrMemberNotFound)
		_, err = c.RoleGet(ctx, "nobody")
		fails(err, rpctypes.ErrRoleNotFound)
		_, err = c.UserGet(ctx, "nobody")
		fails(err, rpctypes.ErrUserNotFound)
		_, err = c.AuthEnable(ctx)
		fails(err, rpctypes.ErrRootUserNotExist)
		_, err = c.Authenticate(ctx, "root", "pw")
		fails(err, rpctypes.ErrAuthNotEnabled)
	}},
	{"too many operations in a transaction", func(s *scene) {
		var operations []clientv3.Op
		for range 129 {
			operations = append(operations, clientv3.OpGet(s.prefix))
		}
		_, err := s.client.Txn(s.ctx).Then(operations...).Commit()
		fails(err, rpctypes.ErrTooManyOps)
	}},
	{"a deadline and a cancellation are the client's own", func(s *scene) {
		ctx, cancel := context.WithTimeout(s.ctx, time.Nanosecond)
		defer cancel()
		_, err := s.client.Get(ctx, s.prefix)
		fails(err, context.DeadlineExceeded)
		cancelled, cancelNow := context.WithCancel(s.ctx)
		cancelNow()
		_, err = s.client.Get(cancelled, s.prefix)
		fails(err, context.Canceled)
	}},
}
