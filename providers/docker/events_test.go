package docker_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/docker"
	"github.com/stowage-run/stowage/providers/remote"
)

// cuttable is a connection whose open streams can be cut, and whose bytes are counted.
type cuttable struct {
	remote.Conn
	bytes atomic.Int64 // both ways

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
	return &counted{conn, &c.bytes}, nil
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
	bytes *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.bytes.Add(int64(n))
	return n, err
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	c.bytes.Add(int64(n))
	return n, err
}

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
	late := overSocket(t, h)
	ended, told := following(t, overSocket(t, h), 100*time.Millisecond)
	select {
	case err := <-ended:
		t.Fatalf("the stream of an idle engine ends: %v", err)
	case <-time.After(time.Second):
	}
	if err := h.FreezeEngine(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.ThawEngine(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if err := within(t, 12*time.Second, "the stream ends", ended); !errors.Is(err, providers.ErrSilent) {
		t.Errorf("got %v, want ErrSilent", err)
	}
	if got := told(); len(got) != 1 {
		t.Errorf("%d events on an idle host, want the first one only: %+v", len(got), got)
	}
	began := time.Now()
	err := late.Events(t.Context(), providers.EventQuery{Fleet: request().Instance.Fleet}, func(fleet.Event) error { return nil })
	if !errors.Is(err, providers.ErrSilent) || time.Since(began) > 12*time.Second {
		t.Errorf("a stream from an engine that hangs: got %v after %v, want ErrSilent within 10 s", err, time.Since(began))
	}
}
