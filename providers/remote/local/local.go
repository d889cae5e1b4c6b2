package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os/exec"
	"sync"
	"syscall"
	"time"

	"github.com/stowage-run/stowage/providers/remote"
)

// killWait is how long Run waits for the output of a killed command's children,
// which may hold the pipes open for ever.
const killWait = 2 * time.Second

// Conn reaches this machine. It is never lost, only closed; Close ends all its
// streams and listeners and waits for its commands. The zero value is not usable.
type Conn struct {
	host string

	done chan struct{}  // closed by Close
	runs sync.WaitGroup // commands under way

	mu     sync.Mutex
	closed bool
	open   map[io.Closer]struct{} // streams, listeners and running commands
}

var _ remote.Conn = (*Conn)(nil)

// New returns the connection to this machine; host is its name in messages.
func New(host string) *Conn {
	return &Conn{host: host, done: make(chan struct{}), open: make(map[io.Closer]struct{})}
}

// DialContext implements remote.Conn.
func (c *Conn) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	if network != "unix" && network != "tcp" {
		return nil, c.fail(remote.StageConfig, remote.ErrConfig, "open "+addr, fmt.Errorf("unknown network %q", network))
	}
	if c.isClosed() {
		return nil, c.closedError("open " + addr)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	if err != nil {
		e := c.fail(remote.StageChannel, dialClass(network, err), "open "+addr, err)
		if network == "unix" {
			e.Socket = addr
		}
		return nil, e
	}
	s := &stream{Conn: conn, owner: c}
	if !c.add(s) {
		conn.Close()
		return nil, c.closedError("open " + addr)
	}
	return s, nil
}

func dialClass(network string, err error) error {
	switch {
	case network != "unix" && (errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.EHOSTUNREACH)):
		return remote.ErrRefused
	case network != "unix":
		return nil
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return remote.ErrSocketMissing
	case errors.Is(err, fs.ErrPermission):
		return remote.ErrSocketDenied
	case errors.Is(err, syscall.ECONNREFUSED):
		return remote.ErrSocketDead
	}
	return nil
}

// Listen implements remote.Conn.
func (c *Conn) Listen(ctx context.Context, network, addr string) (net.Listener, error) {
	if err := remote.CheckLoopback(network, addr); err != nil {
		return nil, c.fail(remote.StageConfig, remote.ErrConfig, "listen on "+addr, err)
	}
	if c.isClosed() {
		return nil, c.closedError("listen on " + addr)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, network, addr)
	if err != nil {
		return nil, c.fail(remote.StageRequest, nil, "listen on "+addr, err)
	}
	l := &listener{Listener: ln, owner: c}
	if !c.add(l) {
		ln.Close()
		return nil, c.closedError("listen on " + addr)
	}
	return l, nil
}

// Run implements remote.Conn. The environment is our own.
func (c *Conn) Run(ctx context.Context, cmd remote.Command) (remote.Output, error) {
	if err := cmd.Validate(); err != nil {
		return remote.Output{}, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{cancel: cancel}
	if !c.add(r) {
		return remote.Output{}, c.closedError("run " + cmd.Argv[0])
	}
	defer c.runs.Done()
	defer c.remove(r)

	p := exec.CommandContext(ctx, cmd.Argv[0], cmd.Argv[1:]...)
	stdout := remote.Capped{Limit: cmd.OutputLimit()}
	stderr := remote.Capped{Limit: cmd.OutputLimit()}
	p.Stdin, p.Stdout, p.Stderr, p.WaitDelay = cmd.Stdin, &stdout, &stderr, killWait
	err := p.Run()
	out := remote.Output{Stdout: stdout.Bytes, Stderr: stderr.Bytes, Truncated: stdout.Truncated || stderr.Truncated}
	if ctx.Err() != nil && c.isClosed() {
		return out, c.closedError("run " + cmd.Argv[0])
	}
	if ctx.Err() != nil {
		return out, c.fail(remote.StageRequest, nil, "run "+cmd.Argv[0], ctx.Err())
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		out.ExitCode = exit.ExitCode()
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
			out.Signal = signalName(ws.Signal())
		}
		return out, nil
	}
	if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
		// As a shell says it, and so as sshd does.
		out.ExitCode, out.Stderr = 127, []byte(cmd.Argv[0]+": not found\n")
		return out, nil
	}
	if err != nil {
		return out, c.fail(remote.StageRequest, nil, "run "+cmd.Argv[0], err)
	}
	return out, nil
}

// Done implements remote.Conn.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err implements remote.Conn.
func (c *Conn) Err() error {
	if !c.isClosed() {
		return nil
	}
	return remote.ErrClosed
}

// Close implements remote.Conn.
func (c *Conn) Close() error {
	c.mu.Lock()
	if !c.closed {
		c.closed = true
		close(c.done)
	}
	open := c.open
	c.open = nil
	c.mu.Unlock()
	for o := range open {
		o.Close()
	}
	c.runs.Wait()
	return nil
}

func (c *Conn) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.closed
}

// add takes o among what Close ends, or reports that it is too late. A command is
// counted under the same mutex, so that none begins after Close waits.
func (c *Conn) add(o io.Closer) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.open[o] = struct{}{}
	if _, ok := o.(*run); ok {
		c.runs.Add(1)
	}
	return true
}

func (c *Conn) remove(o io.Closer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.open, o)
}

func (c *Conn) fail(stage remote.Stage, class error, op string, err error) *remote.Error {
	return &remote.Error{Host: c.host, Stage: stage, Class: class, Op: op, Err: err}
}

func (c *Conn) closedError(op string) error {
	return c.fail(remote.StageChannel, remote.ErrClosed, op, nil)
}

// run is a command under way.
type run struct{ cancel context.CancelFunc }

func (r *run) Close() error {
	r.cancel()
	return nil
}

// stream is a connection that the Conn ends.
type stream struct {
	net.Conn
	owner *Conn
}

func (s *stream) Close() error {
	s.owner.remove(s)
	return s.Conn.Close()
}

// CloseWrite ends our direction only. Unix and TCP sockets both can.
func (s *stream) CloseWrite() error {
	return s.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// listener is a listener that the Conn ends.
type listener struct {
	net.Listener
	owner *Conn
}

func (l *listener) Close() error {
	l.owner.remove(l)
	return l.Listener.Close()
}

// Accept hands out connections that the Conn ends as well.
func (l *listener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := &stream{Conn: conn, owner: l.owner}
	if !l.owner.add(s) {
		conn.Close()
		return nil, net.ErrClosed
	}
	return s, nil
}

// signalName is the name as SSH has it, for those a command can be ended by.
func signalName(s syscall.Signal) string {
	switch s {
	case syscall.SIGABRT:
		return "ABRT"
	case syscall.SIGFPE:
		return "FPE"
	case syscall.SIGHUP:
		return "HUP"
	case syscall.SIGILL:
		return "ILL"
	case syscall.SIGINT:
		return "INT"
	case syscall.SIGKILL:
		return "KILL"
	case syscall.SIGPIPE:
		return "PIPE"
	case syscall.SIGQUIT:
		return "QUIT"
	case syscall.SIGSEGV:
		return "SEGV"
	case syscall.SIGTERM:
		return "TERM"
	}
	return s.String()
}
