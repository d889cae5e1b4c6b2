package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stowage-run/stowage/providers/remote"
	gossh "golang.org/x/crypto/ssh"
)

// DialContext implements remote.Conn. The streams have no deadlines: close them.
func (c *Conn) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	op := "open " + addr
	if err := ctx.Err(); err != nil {
		return nil, c.fail(remote.StageChannel, ctxClass(ctx), op, err)
	}
	switch network {
	case "unix":
		if err := checkSocket(addr); err != nil {
			return nil, c.fail(remote.StageConfig, remote.ErrConfig, op, err)
		}
		if c.Mode() == DialStdio {
			return c.dialStdio(ctx, addr)
		}
	case "tcp":
		if _, err := ParseTarget(addr); err != nil || strings.Contains(addr, "@") {
			return nil, c.fail(remote.StageConfig, remote.ErrConfig, op, fmt.Errorf("%q is not an address", addr))
		}
	default:
		return nil, c.fail(remote.StageConfig, remote.ErrConfig, op, fmt.Errorf("unknown network %q", network))
	}
	conn, err := c.open(ctx, op, network, addr)
	if err == nil {
		return &stream{Conn: conn, owner: c, op: op}, nil
	}
	refused, ok := errors.AsType[*gossh.OpenChannelError](err)
	if !ok {
		return nil, c.asError(remote.StageChannel, op, err)
	}
	if network == "tcp" {
		e := c.fail(remote.StageChannel, nil, op, err)
		switch refused.Reason {
		case gossh.Prohibited:
			e.Class = remote.ErrForwardingRefused
		case gossh.ConnectionFailed:
			e.Class = remote.ErrRefused
		}
		return nil, e
	}
	return c.afterRefusal(ctx, addr, err)
}

// open asks the host for one stream.
func (c *Conn) open(ctx context.Context, op, network, addr string) (net.Conn, error) {
	return await(ctx, c.asking(remote.StageChannel, op),
		func() (net.Conn, error) { return c.client.Dial(network, addr) },
		func(conn net.Conn) { conn.Close() })
}

// checkSocket takes absolute paths without control bytes. sun_path holds 107.
func checkSocket(path string) error {
	if !strings.HasPrefix(path, "/") || len(path) > 107 {
		return fmt.Errorf("%q is not the path of a socket", path)
	}
	for _, r := range path {
		if r < ' ' || r == 0x7f {
			return fmt.Errorf("%q is not the path of a socket", path)
		}
	}
	return nil
}

// asError gives err a stage, unless it is a *remote.Error already.
func (c *Conn) asError(stage remote.Stage, op string, err error) error {
	if e, ok := errors.AsType[*remote.Error](err); ok {
		return e
	}
	return c.fail(stage, nil, op, err)
}

// stream is a forwarded stream that tells its end from the connection's.
type stream struct {
	net.Conn
	owner *Conn
	op    string
}

// Read returns io.EOF only when the other end has ended the stream.
func (s *stream) Read(p []byte) (int, error) {
	n, err := s.Conn.Read(p)
	if err != nil && !s.owner.alive() {
		err = s.owner.broken(s.op)
	}
	return n, err
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.Conn.Write(p)
	if err != nil && !s.owner.alive() {
		err = s.owner.broken(s.op)
	}
	return n, err
}

// CloseWrite ends our direction only.
func (s *stream) CloseWrite() error {
	return s.Conn.(interface{ CloseWrite() error }).CloseWrite()
}

// Close closes the stream; a second call, or one on a broken connection, is nil.
func (s *stream) Close() error {
	if err := s.Conn.Close(); err != nil && !errors.Is(err, io.EOF) && s.owner.alive() {
		return err
	}
	return nil
}

// dialStdio opens a stream through the docker CLI on the host. It waits for a
// place until ctx ends.
func (c *Conn) dialStdio(ctx context.Context, path string) (net.Conn, error) {
	op := "open " + path
	select {
	case c.stdio <- struct{}{}:
	case <-c.done:
		return nil, c.broken(op)
	case <-ctx.Done():
		e := c.fail(remote.StageChannel, remote.ErrTooManySessions, op, ctx.Err())
		e.Detail = fmt.Sprintf("%d streams are open, and without forwarding a connection carries no more", maxStdio)
		return nil, e
	}
	s, err := c.openSession(ctx, remote.Quote(stdioArgv(path)), op, maxComplaint)
	if err != nil {
		<-c.stdio
		return nil, err
	}
	return newStdioStream(context.WithoutCancel(ctx), c, s, path), nil
}

// maxComplaint is how much of what the stand-in says on standard error is kept.
const maxComplaint = 4096

func stdioArgv(path string) []string {
	return []string{"docker", "-H", "unix://" + path, "system", "dial-stdio"}
}

// stdioStream is a stream through a process on the host.
type stdioStream struct {
	*session
	ctx   context.Context // for the look at a socket that gave nothing
	owner *Conn
	path  string
	once  sync.Once
	got   atomic.Bool // something was read
}

func newStdioStream(ctx context.Context, c *Conn, s *session, path string) *stdioStream {
	st := &stdioStream{ctx: ctx, session: s, owner: c, path: path}
	// The place is free when the process has ended, not when we wish it to.
	if !c.start(func() { <-s.ended; <-c.stdio }) {
		<-c.stdio
	}
	return st
}

// Read returns io.EOF only when the process has ended well.
func (s *stdioStream) Read(p []byte) (int, error) {
	n, err := s.channel.Read(p)
	if n > 0 {
		s.got.Store(true)
	}
	if err == nil {
		return n, nil
	}
	if !s.owner.alive() {
		return n, s.owner.broken("open " + s.path)
	}
	if !errors.Is(err, io.EOF) || s.closedByUs() {
		return n, err
	}
	select {
	case <-s.ended:
		<-s.drained
	case <-s.owner.done:
		return n, s.owner.broken("open " + s.path)
	}
	if s.exit.ExitCode == 0 && s.exit.Signal == "" {
		return n, io.EOF
	}
	return n, s.failure()
}

// failure words a process that ended badly. When it gave nothing at all the
// socket may be the reason, so that is looked at.
func (s *stdioStream) failure() error {
	e := s.owner.socketError(nil, s.path, nil)
	e.Detail = "docker system dial-stdio: " + lastLine(s.stderr())
	if s.got.Load() {
		return e
	}
	ctx, cancel := context.WithTimeout(s.ctx, s.owner.timeout)
	defer cancel()
	out, err := s.owner.Run(ctx, probeCommand(s.path))
	p := parseProbe(out.Stdout)
	if err != nil || !p.complete {
		return e
	}
	if err := s.owner.verdict(p, s.path, e); err != nil {
		return err
	}
	if !p.listening {
		e.Class = remote.ErrSocketDead
	}
	return e
}

func (s *stdioStream) Write(p []byte) (int, error) {
	n, err := s.channel.Write(p)
	if err != nil && !s.owner.alive() {
		err = s.owner.broken("open " + s.path)
	}
	return n, err
}

func (s *stdioStream) CloseWrite() error { return s.channel.CloseWrite() }

func (s *stdioStream) Close() error {
	s.once.Do(s.close)
	return nil
}

func (s *stdioStream) LocalAddr() net.Addr  { return &net.UnixAddr{Name: "@", Net: "unix"} }
func (s *stdioStream) RemoteAddr() net.Addr { return &net.UnixAddr{Name: s.path, Net: "unix"} }

// errNoDeadline: SSH channels have none.
var errNoDeadline = errors.New("ssh streams have no deadlines")

func (s *stdioStream) SetDeadline(time.Time) error      { return errNoDeadline }
func (s *stdioStream) SetReadDeadline(time.Time) error  { return errNoDeadline }
func (s *stdioStream) SetWriteDeadline(time.Time) error { return errNoDeadline }

// lastLine is text of a host for a message: its last line, bounded, for what a
// program gave up on comes last.
func lastLine(text []byte) string {
	s := strings.TrimSpace(string(text))
	s = s[strings.LastIndexByte(s, '\n')+1:]
	if len(s) > 200 {
		s = s[:200]
	}
	if s == "" {
		return "ended without a word"
	}
	return strings.ToValidUTF8(s, "?")
}
