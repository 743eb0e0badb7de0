// Package testserver takes the place of the package of this name when the tests of k8s.io/apiserver are built: where that one
// starts an etcd inside the test's process, this one starts an edgetcd beside it.
package testserver

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/kubernetes"
	"go.etcd.io/etcd/server/v3/embed"
	storagetesting "k8s.io/apiserver/pkg/storage/testing"
)

var schemas atomic.Int64

// NewTestConfig gives a configuration for the test to change.
func NewTestConfig(testing.TB) *embed.Config {
	return embed.NewConfig()
}

// RunEtcd starts an edgetcd on a new schema, which ends with the test, and gives a client of it. STORAGE_TESTS_SERVER is the command,
// a line for each word; of the configuration the interval of progress messages counts, the one thing that the tests change.
func RunEtcd(t testing.TB, cfg *embed.Config) *kubernetes.Client {
	t.Helper()
	address := freeAddress(t)
	schema := fmt.Sprintf("storage_%d_%d", os.Getpid(), schemas.Add(1))
	command := strings.Split(os.Getenv("STORAGE_TESTS_SERVER"), "\n")
	command = append(command, "--schema", schema, "--listen-client-urls", "http://"+address)
	if cfg != nil && cfg.WatchProgressNotifyInterval != 0 {
		command = append(command, "--watch-progress-notify-interval", cfg.WatchProgressNotifyInterval.String())
	}
	server := exec.Command(command[0], command[1:]...)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Signal(os.Interrupt)
		server.Wait()
	})
	waitForListener(t, address)
	client, err := kubernetes.New(clientv3.Config{Endpoints: []string{address}, DialTimeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	client.KV = storagetesting.NewKVRecorder(client.KV)
	client.Kubernetes = storagetesting.NewKubernetesRecorder(client.Kubernetes)
	return client
}

func freeAddress(t testing.TB) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func waitForListener(t testing.TB, address string) {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		connection, err := net.Dial("tcp", address)
		if err == nil {
			connection.Close()
			return
		}
	}
	t.Fatal("edgetcd doesn't listen")
}
