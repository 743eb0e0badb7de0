package main

import (
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

var authChecks = []check{
	{"users may what their roles may, at once and no longer", func(s *scene) {
		c, ctx := s.client, s.ctx
		must(c.UserAdd(ctx, "root", "pw"))
		must(c.RoleAdd(ctx, "root"))
		must(c.UserGrantRole(ctx, "root", "root"))
		must(c.UserAdd(ctx, "ada", "secret"))
		must(c.RoleAdd(ctx, "reader"))
		must(c.RoleGrantPermission(ctx, "reader", s.prefix, clientv3.GetPrefixRangeEnd(s.prefix), clientv3.PermissionType(clientv3.PermRead)))
		must(c.UserGrantRole(ctx, "ada", "reader"))
		must(c.Put(ctx, s.prefix+"k", "x"))
		must(c.AuthEnable(ctx))
		root := connect(s.endpoint, clientv3.Config{Username: "root", Password: "pw"})
		defer root.Close()
		defer func() {
			must(root.AuthDisable(ctx))
			must(c.UserDelete(ctx, "ada"))
			must(c.UserDelete(ctx, "root"))
			must(c.RoleDelete(ctx, "reader"))
			must(c.RoleDelete(ctx, "root"))
		}()
		_, err := c.Get(ctx, s.prefix)
		fails(err, rpctypes.ErrUserEmpty)
		wrong := clientv3.Config{Endpoints: []string{s.endpoint}, Username: "ada", Password: "wrong", Logger: zap.NewNop()}
		_, err = clientv3.New(wrong)
		fails(err, rpctypes.ErrAuthFailed)
		ada := connect(s.endpoint, clientv3.Config{Username: "ada", Password: "secret"})
		defer ada.Close()
		equal("count", must(ada.Get(ctx, s.prefix, clientv3.WithPrefix())).Count, 1)
		_, err = ada.Get(ctx, "elsewhere")
		fails(err, rpctypes.ErrPermissionDenied)
		_, err = ada.Put(ctx, s.prefix+"k", "y")
		fails(err, rpctypes.ErrPermissionDenied)
		refused := next("the refusal", ada.Watch(ctx, "elsewhere"))
		equal("the refusal", refused.Err().Error(), rpctypes.ErrGRPCPermissionDenied.Error())
		watch := ada.Watch(ctx, s.prefix, clientv3.WithPrefix(), clientv3.WithCreatedNotify())
		next("created", watch)
		must(root.Put(ctx, s.prefix+"k", "z"))
		events(watch, 1)
		// The token is of rights that are no more: the client gets another and asks again.
		must(root.RoleGrantPermission(ctx, "reader", "elsewhere", "", clientv3.PermissionType(clientv3.PermReadWrite)))
		must(ada.Put(ctx, "elsewhere", "now"))
		must(root.UserChangePassword(ctx, "ada", "new"))
		_, err = ada.Get(ctx, "elsewhere")
		fails(err, rpctypes.ErrAuthFailed)
	}},
	{"tokens that have run out are replaced", func(s *scene) {
		// The servers of these checks give tokens of two seconds.
		c, ctx := s.client, s.ctx
		must(c.UserAdd(ctx, "root", "pw"))
		must(c.RoleAdd(ctx, "root"))
		must(c.UserGrantRole(ctx, "root", "root"))
		must(c.AuthEnable(ctx))
		root := connect(s.endpoint, clientv3.Config{Username: "root", Password: "pw"})
		defer root.Close()
		must(root.Put(ctx, s.prefix, "x"))
		time.Sleep(3500 * time.Millisecond)
		must(root.Put(ctx, s.prefix, "y"))
		watch := root.Watch(ctx, s.prefix, clientv3.WithCreatedNotify())
		next("created", watch)
		must(root.AuthDisable(ctx))
		must(c.UserDelete(ctx, "root"))
		must(c.RoleDelete(ctx, "root"))
	}},
}
