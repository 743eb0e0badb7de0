package main

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
)

func session(s *scene, ttl int) *concurrency.Session {
	return must(concurrency.NewSession(s.client, concurrency.WithTTL(ttl), concurrency.WithContext(s.ctx)))
}

var recipeChecks = []check{
	{"a session ends with its lease", func(s *scene) {
		held := session(s, 60)
		must(s.client.Put(s.ctx, s.prefix, "x", clientv3.WithLease(held.Lease())))
		ok(held.Close())
		next("done", closing(held.Done()))
		equal("keys", must(s.client.Get(s.ctx, s.prefix)).Count, 0)
	}},
	{"a mutex is held by one at a time", func(s *scene) {
		var group sync.WaitGroup
		holders, turns := 0, 0
		for range 6 {
			group.Go(func() {
				client := connect(s.endpoint, clientv3.Config{})
				defer client.Close()
				own := must(concurrency.NewSession(client, concurrency.WithTTL(30)))
				defer own.Close()
				mutex := concurrency.NewMutex(own, s.prefix)
				for range 3 {
					ok(mutex.Lock(s.ctx))
					holders++
					equal("holders", holders, 1)
					turns++
					holders--
					ok(mutex.Unlock(s.ctx))
				}
			})
		}
		group.Wait()
		equal("turns", turns, 18)
	}},
	{"a mutex that is held can't be tried, and waiting can be given up", func(s *scene) {
		one, other := session(s, 30), session(s, 30)
		defer one.Close()
		defer other.Close()
		mutex, rival := concurrency.NewMutex(one, s.prefix), concurrency.NewMutex(other, s.prefix)
		ok(mutex.Lock(s.ctx))
		fails(rival.TryLock(s.ctx), concurrency.ErrLocked)
		ctx, cancel := context.WithTimeout(s.ctx, 300*time.Millisecond)
		defer cancel()
		fails(rival.Lock(ctx), context.DeadlineExceeded)
		equal("owner", must(s.client.Txn(s.ctx).If(mutex.IsOwner()).Commit()).Succeeded, true)
		ok(mutex.Unlock(s.ctx))
		ok(rival.TryLock(s.ctx))
	}},
	{"an election is won by one after another, and observed", func(s *scene) {
		one, other := session(s, 30), session(s, 30)
		defer one.Close()
		defer other.Close()
		ada, bob := concurrency.NewElection(one, s.prefix), concurrency.NewElection(other, s.prefix)
		_, err := ada.Leader(s.ctx)
		fails(err, concurrency.ErrElectionNoLeader)
		ok(ada.Campaign(s.ctx, "ada"))
		observed := bob.Observe(s.ctx)
		equal("leader", string(next("the leader", observed).Kvs[0].Value), "ada")
		won := make(chan error, 1)
		go func() { won <- bob.Campaign(s.ctx, "bob") }()
		ok(ada.Proclaim(s.ctx, "ada again"))
		equal("leader", string(next("the leader", observed).Kvs[0].Value), "ada again")
		ok(ada.Resign(s.ctx))
		ok(next("the second to win", won))
		equal("leader", string(next("the leader", observed).Kvs[0].Value), "bob")
		fails(ada.Proclaim(s.ctx, "ada"), concurrency.ErrElectionNotLeader)
	}},
	{"software transactional memory: no sum is lost, in any isolation that promises so", func(s *scene) {
		levels := []concurrency.Isolation{concurrency.SerializableSnapshot, concurrency.Serializable, concurrency.RepeatableReads}
		const accounts, workers, transfers = 5, 6, 5
		for _, level := range levels {
			account := func(i int) string { return fmt.Sprintf("%s%d/%d", s.prefix, level, i) }
			for i := range accounts {
				must(s.client.Put(s.ctx, account(i), "100"))
			}
			var group sync.WaitGroup
			for worker := range workers {
				group.Go(func() {
					for n := range transfers {
						from, to := account((worker+n)%accounts), account((worker+2*n+1)%accounts)
						must(concurrency.NewSTM(s.client, func(stm concurrency.STM) error {
							if from == to {
								return nil
							}
							a, b := must(strconv.Atoi(stm.Get(from))), must(strconv.Atoi(stm.Get(to)))
							stm.Put(from, strconv.Itoa(a-7))
							stm.Put(to, strconv.Itoa(b+7))
							return nil
						}, concurrency.WithIsolation(level)))
					}
				})
			}
			group.Wait()
			sum := 0
			for i := range accounts {
				sum += must(strconv.Atoi(string(must(s.client.Get(s.ctx, account(i))).Kvs[0].Value)))
			}
			equal("the sum", sum, 100*accounts)
		}
	}},
}

// A channel that gives one value when the other is closed.
func closing(done <-chan struct{}) <-chan bool {
	closed := make(chan bool, 1)
	go func() {
		<-done
		closed <- true
	}()
	return closed
}
