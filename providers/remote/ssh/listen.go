package ssh

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"time"

	"github.com/stowage-run/stowage/providers/remote"
)

// backlog is how many connections may wait to be accepted, as for a TCP listener.
const backlog = 128

// Listen implements remote.Conn. Accepted connections have read deadlines, which
// net/http's server needs to take its background read back.
func (c *Conn) Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	op := "listen on " + addr
	if err := remote.CheckLoopback(network, addr); err != nil {
		return nil, c.fail(remote.StageConfig, remote.ErrConfig, op, err)
	}
	if err := ctx.Err(); err != nil {
		return nil, c.fail(remote.StageRequest, ctxClass(ctx), op, err)
	}
	inner, err := await(ctx, c.asking(remote.StageRequest, op),
		func() (net.Listener, error) { return c.client.Listen(network, addr) },
		func(ln net.Listener) { ln.Close() })
	if err != nil {
		if _, ok := errors.AsType[*remote.Error](err); ok {
			return nil, err
		}
		e := c.fail(remote.StageRequest, remote.ErrForwardingRefused, op, err)
		e.Detail = "sshd does not listen for us"
		e.Try = []string{"AllowTcpForwarding yes  in the host's sshd_config"}
		return nil, e
	}
	l := &listener{Listener: inner, conn: c, op: op, ctx: context.WithoutCancel(ctx),
		waiting: make(chan net.Conn, backlog), ended: make(chan struct{}), closed: make(chan struct{})}
	if !c.start(l.pump) {
		return nil, c.broken(op)
	}
	return l, nil
}

// listener takes every connection at once and lets it wait here. Left waiting in
// the library it would hold a lock there that closing the listener needs.
type listener struct {
	net.Listener
	conn    *Conn
	op      string
	ctx     context.Context // for the request that ends the listening
	waiting chan net.Conn
	ended   chan struct{} // closed when pump has ended
	closed  chan struct{} // closed by Close
	once    sync.Once
}

func (l *listener) pump() {
	defer close(l.ended)
	for {
		conn, err := l.Listener.Accept()
		if err != nil {
			return
		}
		a := &accepted{stream: stream{Conn: conn, owner: l.conn, op: l.op}}
		select {
		case l.waiting <- a:
		default: // as a full backlog does
			conn.Close()
		}
	}
}

// Accept returns net.ErrClosed after Close and the connection's error after its loss.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case <-l.closed:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	default:
	}
	select {
	case conn := <-l.waiting:
		return conn, nil
	case <-l.closed:
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.Addr(), Err: net.ErrClosed}
	case <-l.conn.done:
		return nil, l.conn.broken(l.op)
	case <-l.ended:
		return nil, l.conn.broken(l.op)
	}
}

// Close ends the listening, waiting at most the timeout for the host's word on it.
func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		_, _ = await(l.ctx, l.conn.asking(remote.StageRequest, l.op),
			func() (struct{}, error) { return struct{}{}, l.Listener.Close() }, func(struct{}) {})
		for {
			select {
			case conn := <-l.waiting:
				conn.Close()
			default:
				return
			}
		}
	})
	return nil
}

// accepted is a connection that the host made to us, with read deadlines.
type accepted struct {
	stream
	deadline deadline

	mu      sync.Mutex    // held by Read
	pending chan readDone // a read under way, left by a Read whose deadline passed
	rest    []byte        // read and not yet taken
	err     error         // follows rest
}

type readDone struct {
	data []byte
	err  error
}

// Read reads in a goroutine, so that it can be left waiting when the deadline
// passes; what that one reads later goes to the next Read.
func (a *accepted) Read(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for {
		if len(a.rest) > 0 {
			n := copy(p, a.rest)
			a.rest = a.rest[n:]
			return n, nil
		}
		if a.err != nil {
			return 0, a.err
		}
		if a.deadline.passed() {
			return 0, os.ErrDeadlineExceeded
		}
		if a.pending == nil && !a.begin() {
			return 0, a.owner.broken(a.op)
		}
		changed, expired := a.deadline.wait()
		select {
		case r := <-a.pending:
			a.pending, a.rest, a.err = nil, r.data, r.err
		case <-expired:
			return 0, os.ErrDeadlineExceeded
		case <-changed:
		}
	}
}

func (a *accepted) begin() bool {
	pending := make(chan readDone, 1)
	if !a.owner.start(func() {
		buf := make([]byte, 32<<10)
		n, err := a.stream.Read(buf)
		pending <- readDone{buf[:n], err}
	}) {
		return false
	}
	a.pending = pending
	return true
}

func (a *accepted) SetReadDeadline(t time.Time) error {
	a.deadline.set(t)
	return nil
}

// SetDeadline sets the read deadline; writes have none.
func (a *accepted) SetDeadline(t time.Time) error { return a.SetReadDeadline(t) }

// SetWriteDeadline does nothing: a write ends at the latest with the connection.
func (a *accepted) SetWriteDeadline(time.Time) error { return nil }

// deadline is a time that can be moved while somebody waits for it.
type deadline struct {
	mu      sync.Mutex
	timer   *time.Timer
	at      time.Time
	expired chan struct{}
	changed chan struct{}
}

func (d *deadline) set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	if d.changed != nil {
		close(d.changed)
	}
	d.at, d.changed, d.expired = t, make(chan struct{}), make(chan struct{})
	if t.IsZero() {
		return
	}
	expired := d.expired
	d.timer = time.AfterFunc(time.Until(t), func() { close(expired) })
}

func (d *deadline) passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return !d.at.IsZero() && !time.Now().Before(d.at)
}

func (d *deadline) wait() (changed, expired <-chan struct{}) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.changed == nil {
		d.changed, d.expired = make(chan struct{}), make(chan struct{})
	}
	return d.changed, d.expired
}
