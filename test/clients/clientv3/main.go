// Uses a server as Go programs use etcd's, through etcd's own client, and prints a line for each check that it made.
//
//	clientv3 ENDPOINT [PART...]
//
// Some parts need something done to the server: they print `please WHAT` and go on when a line comes in.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

// A check fails by panicking.
type check struct {
	name string
	run  func(*scene)
}

// What a check has: a client of its own, a context that ends, and a prefix that nobody else writes to.
type scene struct {
	endpoint string
	ctx      context.Context
	client   *clientv3.Client
	prefix   string
}

var parts = map[string][]check{
	"kv":          kvChecks,
	"errors":      errorChecks,
	"watch":       watchChecks,
	"lease":       leaseChecks,
	"recipes":     recipeChecks,
	"layers":      layerChecks,
	"maintenance": maintenanceChecks,
	"auth":        authChecks,
	"restart":     restartChecks,
	"outage":      outageChecks,
	"many":        manyChecks,
}

var stdin = bufio.NewReader(os.Stdin)

// Has something done to the server, and waits until it is done.
func please(what string) {
	fmt.Printf("please %s\n", what)
	if _, err := stdin.ReadString('\n'); err != nil {
		panic(err)
	}
}

func main() {
	endpoint, failed := os.Args[1], false
	for _, part := range os.Args[2:] {
		for number, c := range parts[part] {
			prefix := fmt.Sprintf("%s/%d/", part, number)
			if problem := attempt(c, endpoint, prefix); problem != "" {
				failed = true
				fmt.Printf("FAILED %s: %s: %s\n", part, c.name, problem)
			} else {
				fmt.Printf("ok %s: %s\n", part, c.name)
			}
		}
	}
	if failed {
		os.Exit(1)
	}
}

func attempt(c check, endpoint, prefix string) (problem string) {
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	client := connect(endpoint, clientv3.Config{})
	defer client.Close()
	defer func() {
		if thrown := recover(); thrown != nil {
			problem = fmt.Sprintf("%v %s", thrown, whereabouts())
		}
	}()
	c.run(&scene{endpoint: endpoint, ctx: ctx, client: client, prefix: prefix})
	return ""
}

// The lines of this program that led to the panic.
func whereabouts() string {
	var lines []string
	for _, line := range strings.Split(string(debug.Stack()), "\n") {
		if strings.Contains(line, "clientv3/") && strings.HasPrefix(line, "\t") && !strings.Contains(line, "main.go") &&
			!strings.Contains(line, "pkg/mod") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return strings.Join(lines, " ")
}

func connect(endpoint string, config clientv3.Config) *clientv3.Client {
	config.Endpoints = []string{endpoint}
	config.DialTimeout = 5 * time.Second
	config.Logger = zap.NewNop()
	return must(clientv3.New(config))
}

func must[T any](value T, err error) T {
	ok(err)
	return value
}

func ok(err error) {
	if err != nil {
		panic(err)
	}
}

func equal[T comparable](name string, got, want T) {
	if got != want {
		panic(fmt.Sprintf("%s is %v and not %v", name, got, want))
	}
}

// Fails unless the error is that very one, as programs tell errors apart.
func fails(got, want error) {
	if got != want {
		panic(fmt.Sprintf("the error is %T %v and not %v", got, got, want))
	}
}

// Gives what comes next, which has to come in time.
func next[T any](name string, from <-chan T) T {
	select {
	case value, open := <-from:
		if !open {
			panic(name + ": has ended")
		}
		return value
	case <-time.After(20 * time.Second):
		panic(name + ": nothing came")
	}
}
