package docker_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/docker"
	"github.com/stowage-run/stowage/providers/remote"
)

// cuttable is a connection whose open streams can be cut, and whose bytes and writes are counted.
type cuttable struct {
	remote.Conn
	bytes  atomic.Int64 // both ways
	writes atomic.Int64 // one a request

	mu   sync.Mutex // guards open
	open []net.Conn
}

func (c *cuttable) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	conn, err := c.Conn.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open = append(c.open, conn)
	return &counted{conn, c}, nil
}

func (c *cuttable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.open {
		conn.Close()
	}
	c.open = nil
}

type counted struct {
	net.Conn
	by *cuttable
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.by.bytes.Add(int64(n))
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.by.bytes.Add(int64(n))
	c.by.writes.Add(1)
	return n, err
}

// CloseWrite is what exec tells the end of its input by.
func (c *counted) CloseWrite() error { return c.Conn.(interface{ CloseWrite() error }).CloseWrite() }

// following opens a stream and waits for its first event. Its end comes on the channel, with when it came.
func following(t *testing.T, e *docker.Engine, silence time.Duration) (<-chan error, func() []fleet.Event) {
	t.Helper()
	var mu sync.Mutex
	var told []fleet.Event
	begun, ended := make(chan struct{}, 1), make(chan error, 1)
	q := providers.EventQuery{Fleet: request().Instance.Fleet, Silence: silence}
	go func() {
		ended <- e.Events(t.Context(), q, func(ev fleet.Event) error {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, ev)
			select {
			case begun <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	select {
	case <-begun:
	case err := <-ended:
		t.Fatal(err)
	}
	return ended, func() []fleet.Event {
		mu.Lock()
		defer mu.Unlock()
		return append([]fleet.Event(nil), told...)
	}
}

func within(t *testing.T, d time.Duration, what string, ended <-chan error) error {
	t.Helper()
	limit := time.NewTimer(d)
	defer limit.Stop()
	select {
	case err := <-ended:
		return err
	case <-limit.C:
		t.Fatalf("not within %v: %s", d, what)
	}
	return nil
}

// A host that is lost is found by the connection, though nothing is sent on the stream and nobody asks.
func TestEventsLostHost(t *testing.T) {
	h, _ := shared.hosts(t)
	ended, _ := following(t, overSSH(t, h), time.Hour)
	if err := h.CutLink(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.RestoreLink(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	began := time.Now()
	err := within(t, 16*time.Second, "the stream ends", ended)
	if !errors.Is(err, providers.ErrUnreachable) || errors.Is(err, providers.ErrSilent) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
	t.Logf("found after %v: %v", time.Since(began).Round(time.Millisecond), err)
}

// An engine that hangs is found by asking it, over a socket too, and one on which nothing happens is not taken for one.
func TestEventsSilentEngine(t *testing.T) {
	h, _ := shared.hosts(t)
	var asked *cuttable
	e := overSocket(t, h, func(c remote.Conn) remote.Conn {
		asked = &cuttable{Conn: c}
		return asked
	})
	ended, _ := following(t, e, 50*time.Millisecond)
	begun := asked.writes.Load()
	wait(t, "it is asked five times", func() bool { return asked.writes.Load() >= begun+5 })
	select {
	case err := <-ended:
		t.Fatalf("the stream of an idle engine ends: %v", err)
	default:
	}
	if err := h.FreezeEngine(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.ThawEngine(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	opening := make(chan error, 1)
	go func() {
		opening <- e.Events(t.Context(), providers.EventQuery{Fleet: request().Instance.Fleet}, func(fleet.Event) error { return nil })
	}()
	if err := within(t, 12*time.Second, "the stream ends", ended); !errors.Is(err, providers.ErrSilent) {
		t.Errorf("got %v, want ErrSilent", err)
	}
	if err := within(t, 5*time.Second, "a stream from an engine that hangs fails to open", opening); !errors.Is(err, providers.ErrSilent) {
		t.Errorf("a stream from an engine that hangs: got %v, want ErrSilent", err)
	}
}

// What the kernel and the engine's own health check do to a container is told, and what a health check runs is not.
func TestEventsOfTheEngine(t *testing.T) {
	h, _ := shared.hosts(t)
	sweep(t, h)
	e := overSocket(t, h)
	_, told := following(t, e, 0)
	hungry := request()
	hungry.Spec.Command = []string{"long", "500000000"}
	hungry.Spec.Limits = fleet.Limits{Memory: 32 << 20}
	id, err := e.Create(t.Context(), hungry)
	if err == nil {
		err = e.Start(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	ill := request().Instance
	ill.Replica.Slot = 1
	labels := ill.Labels(fleet.Spec{Labels: map[string]string{"exitCode": "spoilt"}}, "op")
	made, err := h.API().ContainerCreate(t.Context(), &container.Config{
		Image: shared.image.ID, Cmd: []string{"serve"}, Labels: labels,
		Healthcheck: &container.HealthConfig{Test: []string{"CMD", "/probe", "exit", "1"}, Interval: 100 * time.Millisecond, Timeout: 5 * time.Second, Retries: 2},
	}, nil, nil, nil, ill.ContainerName())
	if err == nil {
		err = e.Start(t.Context(), made.ID)
	}
	if err != nil {
		t.Fatal(err)
	}
	of := func(id string) (all []string) { // a stream begins a little early, with what tests before this one did
		for _, ev := range told()[1:] {
			if ev.ID == id {
				all = append(all, strings.TrimSpace(fmt.Sprint(ev.Kind, " ", ev.ExitCode, " ", ev.Health)))
			}
		}
		return all
	}
	wait(t, "one is killed and the other one is ill", func() bool { return len(of(id)) >= 4 && len(of(made.ID)) >= 3 })
	// The kernel's word and the engine's come on different ways.
	if d := cmp.Diff([]string{"create 0", "die 137", "oom 0", "start 0"}, slices.Sorted(slices.Values(of(id)))); d != "" {
		t.Errorf("short of memory (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"create 0", "start 0", "health 0 unhealthy"}, of(made.ID)); d != "" {
		t.Errorf("unhealthy (-want +got):\n%s", d)
	}
	if err := e.Remove(t.Context(), made.ID); err != nil {
		t.Error(err)
	}
	wait(t, "it is gone", func() bool { return len(of(made.ID)) >= 5 })
	if d := cmp.Diff([]string{"create 0", "start 0", "health 0 unhealthy", "die -1", "destroy 0"}, of(made.ID)); d != "" {
		t.Errorf("removed, with a label that hides the exit status (-want +got):\n%s", d)
	}
}
