package ssh_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stowage-run/stowage/providers/remote"
	"github.com/stowage-run/stowage/providers/remote/ssh"
)

// within fails the test when f takes longer than limit, by far enough for a busy
// machine.
func within(t *testing.T, limit time.Duration, f func()) {
	t.Helper()
	begin := time.Now()
	f()
	if d := time.Since(begin); d > limit {
		t.Errorf("took %v, want at most %v", d, limit)
	}
}

func TestNobodyListens(t *testing.T) {
	w := newWorld(t)
	s := &sshd{w: w, port: freePort(t)}
	e := refused(t, s.config(), remote.ErrUnreachable)
	if e.Stage != remote.StageDial || e.Timeout != 0 || !errors.Is(e, syscall.ECONNREFUSED) {
		t.Errorf("got %+v", e)
	}
}

// TestSilentPeer: a peer that accepts and says nothing, and an sshd that is
// stopped, for which the kernel accepts.
func TestSilentPeer(t *testing.T) {
	w := newWorld(t)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	stopped := w.sshd([]string{"ed25519-host"})
	if err := stopped.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	for _, port := range []int{ln.Addr().(*net.TCPAddr).Port, stopped.port} {
		cfg := stopped.config()
		cfg.Port, cfg.Timeout = port, 200*time.Millisecond
		within(t, 3*time.Second, func() {
			e := refused(t, cfg, remote.ErrUnreachable)
			if e.Stage != remote.StageHandshake || e.Timeout != cfg.Timeout {
				t.Errorf("got stage %q, timeout %v", e.Stage, e.Timeout)
			}
		})
	}
}

func TestPeerOfAnotherProtocol(t *testing.T) {
	w := newWorld(t)
	s := &sshd{w: w, port: greeter(t, "HTTP/1.1 400 Bad Request\r\n\r\n").Port}
	if e := refused(t, s.config(), remote.ErrUnreachable); e.Stage != remote.StageHandshake {
		t.Errorf("stage: got %q", e.Stage)
	}
}

// TestPeerFallsSilentAnywhere lets the peer fall silent after so many bytes, from
// the banner to the last message of authentication: each Dial ends in time, and
// none is taken for a refusal.
func TestPeerFallsSilentAnywhere(t *testing.T) {
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"})
	stages := map[remote.Stage]bool{}
	for limit := int64(10); ; limit += 250 {
		p := w.proxy(fmt.Sprintf("127.0.0.1:%d", s.port), limit)
		w.write("home/.ssh/known_hosts", strings.Replace(s.known("ed25519-host"), fmt.Sprint(s.port), fmt.Sprint(p.port), 1))
		cfg := s.config()
		cfg.Port, cfg.Timeout = p.port, 250*time.Millisecond
		var done bool
		within(t, 3*time.Second, func() {
			c, err := ssh.Dial(t.Context(), cfg)
			if err == nil {
				c.Close()
				done = true
				return
			}
			stages[classified(t, err, remote.ErrUnreachable).Stage] = true
		})
		if done {
			break
		}
	}
	if !stages[remote.StageHandshake] || !stages[remote.StageAuth] {
		t.Errorf("stages seen: %v", stages)
	}
}

func TestDialIsCancelled(t *testing.T) {
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"})
	if err := s.cmd.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	cfg := s.config()
	cfg.Timeout = time.Minute
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	within(t, 3*time.Second, func() {
		_, err := ssh.Dial(ctx, cfg)
		classified(t, err, context.DeadlineExceeded)
	})
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	_, err := ssh.Dial(ctx, cfg)
	if e := classified(t, err, context.Canceled); e.Class != nil {
		t.Errorf("class of a cancelled Dial: %v", e.Class)
	}
}

// frozen is a connection through a proxy, with one stream open, over which
// nothing passes any more.
func frozen(t *testing.T, cfg func(*ssh.Config)) (*ssh.Conn, net.Conn, *engine) {
	t.Helper()
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"})
	p := w.proxy(fmt.Sprintf("127.0.0.1:%d", s.port), -1)
	w.write("home/.ssh/known_hosts", strings.Replace(s.known("ed25519-host"), fmt.Sprint(s.port), fmt.Sprint(p.port), 1))
	c := s.config()
	c.Port = p.port
	cfg(&c)
	conn := dial(t, c)
	e := w.engine("d.sock")
	stream := hold(t, conn, e.path)
	p.freeze()
	return conn, stream, e
}

func TestKeepaliveFindsADeadPeer(t *testing.T) {
	c, stream, e := frozen(t, func(cfg *ssh.Config) { cfg.KeepaliveInterval, cfg.KeepaliveCount = 100*time.Millisecond, 3 })
	within(t, 2*time.Second, func() {
		_, err := stream.Read(make([]byte, 1))
		classified(t, err, remote.ErrUnreachable)
		<-c.Done()
	})
	if got := classified(t, c.Err(), remote.ErrUnreachable).Stage; got != remote.StageKeepalive {
		t.Errorf("stage: got %q", got)
	}
	if err := ping(t.Context(), c, e.path); !errors.Is(err, remote.ErrUnreachable) {
		t.Errorf("a stream after it: got %v", err)
	}
}

// TestKeepaliveLeavesTheLivingAlone: an idle connection outlives many times the
// keepalive's patience.
func TestKeepaliveLeavesTheLivingAlone(t *testing.T) {
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"})
	w.trust(s)
	e := w.engine("d.sock")
	for _, count := range []int{2, 5} {
		cfg := s.config()
		cfg.KeepaliveInterval, cfg.KeepaliveCount = 100*time.Millisecond, count
		c := dial(t, cfg)
		select {
		case <-c.Done():
			t.Fatalf("count %d: lost: %v", count, c.Err())
		case <-time.After(time.Second):
		}
		if err := ping(t.Context(), c, e.path); err != nil {
			t.Error(err)
		}
	}
}

// TestCloseOverABlockedJumpHost: nothing passes to the jump host any more, and the
// send buffers are full, so whatever would take its leave over it would wait.
func TestCloseOverABlockedJumpHost(t *testing.T) {
	w := newWorld(t)
	jump, target := w.sshd([]string{"ed25519-jump"}), w.sshd([]string{"ed25519-host"})
	p := w.proxy(fmt.Sprintf("127.0.0.1:%d", jump.port), -1)
	w.write("home/.ssh/known_hosts", target.known("ed25519-host")+
		strings.Replace(jump.known("ed25519-jump"), fmt.Sprint(jump.port), fmt.Sprint(p.port), 1))
	cfg := target.config()
	cfg.JumpHost, cfg.KeepaliveInterval = fmt.Sprintf("127.0.0.1:%d", p.port), -1
	cfg.Environment.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &blockable{Conn: conn, blocked: p.frozen, closed: make(chan struct{})}, nil
	}
	c := dial(t, cfg)
	stream := hold(t, c, w.engine("d.sock").path)
	p.freeze()
	wrote := make(chan error, 1)
	go func() { _, err := io.Copy(stream, zeros{}); wrote <- err }()
	within(t, 3*time.Second, func() {
		c.Close()
		if err := <-wrote; !errors.Is(err, remote.ErrClosed) {
			t.Errorf("write: got %v, want ErrClosed", err)
		}
	})
}

// blockable is a connection whose writes, once blocked, return only when it is closed.
type blockable struct {
	net.Conn
	blocked <-chan struct{}
	once    sync.Once
	closed  chan struct{}
}

func (b *blockable) Write(p []byte) (int, error) {
	select {
	case <-b.blocked:
		<-b.closed
		return 0, net.ErrClosed
	default:
		return b.Conn.Write(p)
	}
}

func (b *blockable) Close() error {
	b.once.Do(func() { close(b.closed) })
	return b.Conn.Close()
}

func TestOpeningIsBounded(t *testing.T) {
	c, _, e := frozen(t, func(cfg *ssh.Config) { cfg.KeepaliveInterval, cfg.Timeout = -1, 300*time.Millisecond })
	within(t, 5*time.Second, func() {
		got := classified(t, ping(t.Context(), c, e.path), remote.ErrUnreachable)
		if got.Stage != remote.StageChannel || got.Timeout != 300*time.Millisecond {
			t.Errorf("got stage %q, timeout %v", got.Stage, got.Timeout)
		}
		_, err := c.Run(t.Context(), remote.Command{Argv: []string{"true"}})
		classified(t, err, remote.ErrUnreachable)
		_, err = c.Listen(t.Context(), "tcp", "127.0.0.1:0")
		classified(t, err, remote.ErrUnreachable)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		classified(t, ping(ctx, c, e.path), context.DeadlineExceeded)
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
}
