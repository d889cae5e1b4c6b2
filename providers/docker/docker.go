// Package docker is the Engine of hosts that run Docker, from 20.10 (API 1.41) on.
//
// It speaks the Engine API over streams of a remote.Conn to the engine's socket. Idle streams are kept for the next
// call, so that over SSH a call costs one round trip and no remote process.
package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"

	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/remote"
)

// DefaultSocket is where Docker listens unless it is told otherwise.
const DefaultSocket = "/var/run/docker.sock"

// The bounds of calls whose context has none. They are far beyond what a healthy engine takes, and short enough
// that a hung one does not hold a pass up for good.
const (
	connectTimeout = 10 * time.Second // a ping takes a millisecond; people wait for this one
	lookTimeout    = 30 * time.Second // observe, inspect: milliseconds on an idle engine, seconds on one under load
	changeTimeout  = 2 * time.Minute  // create, start, remove: seconds when sixteen of them queue
	imageTimeout   = 30 * time.Minute // pull, import: 10 GB at 6 MB/s
)

// oldestAPI is that of engine 20.10, the oldest that a supported distribution has (Debian 12).
const oldestAPI = "1.41"

// idleStreams is how many unused streams to the socket are kept: as many as calls are made at once on one host.
const idleStreams = 16

// Config says how the engine is reached.
type Config struct {
	Conn   remote.Conn // closed with the engine
	Socket string      // empty: DefaultSocket
}

// Engine is a providers.Engine. It is safe for concurrent use.
type Engine struct {
	conn      remote.Conn
	api       *client.Client
	transport *http.Transport

	mu     sync.Mutex
	driver string // the engine's default logging driver, once it is known; guarded by mu
}

// New connects to an engine and agrees on the version of its API. On an error the connection is not closed.
func New(ctx context.Context, c Config) (*Engine, error) {
	if c.Socket == "" {
		c.Socket = DefaultSocket
	}
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := c.Conn.DialContext(ctx, "unix", c.Socket)
		if err != nil {
			return nil, &dialError{err}
		}
		return conn, nil
	}
	t := &http.Transport{DialContext: dial, MaxIdleConns: idleStreams, MaxIdleConnsPerHost: idleStreams, IdleConnTimeout: time.Minute, DisableCompression: true}
	api, err := client.NewClientWithOpts(
		client.WithHost("http://docker.remote"), // never resolved: every connection is made by dial
		client.WithHTTPClient(&http.Client{Transport: t}),
		client.WithDialContext(dial), // for exec, which takes the stream over
		client.WithAPIVersionNegotiation(),
	)
	if err != nil {
		return nil, fmt.Errorf("docker client: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	// A ping first, since the negotiation alone hides its error.
	ping, err := api.Ping(ctx)
	if err != nil {
		t.CloseIdleConnections()
		if errors.Is(err, context.DeadlineExceeded) && !neverSent(err) {
			return nil, &providers.Error{Op: "connect", Object: c.Socket, Class: providers.ErrSilent,
				Err: fmt.Errorf("not within %v: it hangs, or is overloaded", connectTimeout)}
		}
		return nil, unreachable("connect", c.Socket, err)
	}
	if versions.LessThan(ping.APIVersion, oldestAPI) {
		t.CloseIdleConnections()
		return nil, &providers.Error{Op: "connect", Object: c.Socket, Class: providers.ErrUnsupported,
			Err: fmt.Errorf("the engine speaks API %q; the oldest that can be used is %s", ping.APIVersion, oldestAPI)}
	}
	api.NegotiateAPIVersionPing(ping)
	return &Engine{conn: c.Conn, api: api, transport: t}, nil
}

// Alive reports whether the connection still stands.
func (e *Engine) Alive() bool {
	select {
	case <-e.conn.Done():
		return false
	default:
		return true
	}
}

// Close gives the connection back.
func (e *Engine) Close() error {
	e.transport.CloseIdleConnections()
	return e.conn.Close()
}

// bounded gives a context a deadline where it has none.
func bounded(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, d)
}

var _ providers.Engine = (*Engine)(nil)
