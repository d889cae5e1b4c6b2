package ssh

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stowage-run/stowage/providers/remote"
	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/sync/singleflight"
)

// sshd's MaxSessions is 10 by default, and counts commands and dial-stdio
// streams together; we never have more than nine of them.
const (
	maxStdio = 6
	maxRuns  = 3
)

// Mode says how streams to unix sockets are made.
type Mode int32

const (
	// Forwarding makes them by direct-streamlocal, without a process on the host.
	Forwarding Mode = iota
	// DialStdio makes them by `docker system dial-stdio` in a session each, six at once, for a
	// host whose sshd forwards no sockets. Slower, and for docker's API only.
	DialStdio
)

func (m Mode) String() string {
	if m == DialStdio {
		return "dial-stdio"
	}
	return "forwarding"
}

// Conn is one SSH connection to a host; see remote.Conn.
type Conn struct {
	name    string
	hops    []hop // the host is the last
	client  *gossh.Client
	wire    *wire
	root    net.Conn
	clients []*gossh.Client
	timeout time.Duration
	mode    atomic.Int32

	stdio  chan struct{} // a place for each dial-stdio stream
	runs   chan struct{} // a place for each command
	probes singleflight.Group

	done chan struct{}
	mu   sync.Mutex
	err  error          // why done is closed
	work sync.WaitGroup // every goroutine of ours; Add only under mu while err is nil
}

var _ remote.Conn = (*Conn)(nil)

func newConn(cfg Config, hops []hop, d *dialer) *Conn {
	last := len(hops) - 1
	c := &Conn{
		name: cfg.Host, hops: hops, client: d.clients[last], wire: d.wire, root: d.root, clients: d.clients,
		timeout: hops[last].timeout,
		stdio:   make(chan struct{}, maxStdio), runs: make(chan struct{}, maxRuns),
		done: make(chan struct{}),
	}
	c.start(func() { c.lose(remote.StageRequest, c.client.Wait()) })
	interval, count := cfg.KeepaliveInterval, cfg.KeepaliveCount
	if interval == 0 {
		interval = DefaultKeepaliveInterval
	}
	if count <= 0 {
		count = DefaultKeepaliveCount
	}
	if interval > 0 {
		c.start(func() { c.keepalive(interval, count) })
	}
	return c
}

// Mode says how streams to unix sockets are made. It begins as Forwarding and
// becomes DialStdio when a stream was refused and the stand-in was found to work.
func (c *Conn) Mode() Mode { return Mode(c.mode.Load()) }

// Remote is the address of the host and the account on it, "user@address:port".
func (c *Conn) Remote() string { return c.host().user + "@" + c.host().addr() }

func (c *Conn) host() hop { return c.hops[len(c.hops)-1] }

// Done implements remote.Conn.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err implements remote.Conn.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Close implements remote.Conn.
func (c *Conn) Close() error {
	c.end(remote.ErrClosed)
	c.work.Wait()
	return nil
}

// lose ends a connection that broke.
func (c *Conn) lose(stage remote.Stage, err error) {
	c.end(c.lost(stage, err))
}

func (c *Conn) lost(stage remote.Stage, err error) *remote.Error {
	e := c.fail(stage, remote.ErrUnreachable, "", err)
	e.Detail = "the connection broke"
	return e
}

// end makes err the reason of the end, unless there is one, and closes the TCP
// connection before all else: a close of what is above it may wish to write.
func (c *Conn) end(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	c.err = err
	c.wire.failed.Store(true) // before any stream can notice
	c.root.Close()
	for _, cl := range c.clients {
		cl.Close()
	}
	close(c.done)
}

// start runs f in a goroutine that Close waits for; false: it is too late.
func (c *Conn) start(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return false
	}
	c.work.Go(f)
	return true
}

// alive reports that the connection has not been seen to break. The wire knows
// of it before the streams do.
func (c *Conn) alive() bool {
	select {
	case <-c.done:
		return false
	default:
		return !c.wire.failed.Load()
	}
}

// broken is the error of whoever finds that the connection is not alive.
func (c *Conn) broken(op string) error {
	err := c.Err()
	if errors.Is(err, remote.ErrClosed) {
		return c.fail(remote.StageRequest, remote.ErrClosed, op, nil)
	}
	if e, ok := errors.AsType[*remote.Error](err); ok {
		again := *e
		again.Op = op
		return &again
	}
	e := c.lost(remote.StageRequest, nil)
	e.Op = op
	return e
}

func (c *Conn) fail(stage remote.Stage, class error, op string, err error) *remote.Error {
	h := c.host()
	e := &remote.Error{Host: c.name, Stage: stage, Class: class, User: h.user, Address: h.addr(), Op: op, Err: err}
	for _, j := range c.hops[:len(c.hops)-1] {
		e.Via = append(e.Via, j.String())
	}
	return e
}

// question is something that the host is asked: how errors call it.
type question struct {
	conn  *Conn
	stage remote.Stage
	op    string
}

func (c *Conn) asking(stage remote.Stage, op string) question { return question{c, stage, op} }

// await runs op, which may block for as long as the connection stands, and waits
// for it until ctx ends or the timeout has passed. An op that comes to an end
// later has its result given to discard. op's error is returned as it is, unless
// the connection broke.
func await[T any](ctx context.Context, q question, op func() (T, error), discard func(T)) (T, error) {
	type result struct {
		value T
		err   error
	}
	var zero T
	results := make(chan result)
	given := make(chan struct{})
	defer close(given)
	if !q.conn.start(func() {
		v, err := op()
		select {
		case results <- result{v, err}:
		case <-given:
			if err == nil {
				discard(v)
			}
		}
	}) {
		return zero, q.conn.broken(q.op)
	}
	timer := time.NewTimer(q.conn.timeout)
	defer timer.Stop()
	select {
	case r := <-results:
		if r.err != nil && !q.conn.alive() {
			return zero, q.conn.broken(q.op)
		}
		return r.value, r.err
	case <-ctx.Done():
		return zero, q.conn.fail(q.stage, ctxClass(ctx), q.op, ctx.Err())
	case <-q.conn.done:
		return zero, q.conn.broken(q.op)
	case <-timer.C:
		e := q.conn.fail(q.stage, remote.ErrUnreachable, q.op, errStageLate)
		e.Timeout, e.Detail = q.conn.timeout, "no answer"
		return zero, e
	}
}

// ctxClass: a deadline that passed is a host that was too slow; a cancellation is
// no fault of the host.
func ctxClass(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return remote.ErrUnreachable
	}
	return nil
}
