package ssh

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stowage-run/stowage/providers/remote"
	gossh "golang.org/x/crypto/ssh"
)

// session is a command running on the host. It is written out here, and not the
// library's Session, because that one waits without bound where it starts.
type session struct {
	channel gossh.Channel
	ended   chan struct{} // closed when the host has closed the channel, or the connection is gone
	exit    remote.Output // ExitCode and Signal; valid after ended
	drained chan struct{} // closed when all of standard error is read
	exited  bool          // the host has told how the command ended; valid after ended
	closed  atomic.Bool

	mu  sync.Mutex
	err remote.Capped
}

// errRefusedCommand is a session in which sshd runs nothing.
var errRefusedCommand = errors.New("the host refused to run a command")

// A refused session is asked for again after 10, 20, 40 and 80 ms: sshd goes on
// counting one that has ended until it has reaped the command, so it refuses at
// times what is within its limit. More of them are not to be had by waiting.
const (
	sessionWait  = 10 * time.Millisecond
	sessionWaits = 80 * time.Millisecond
)

// pause waits, and reports whether it makes sense to go on.
func (c *Conn) pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-c.done:
	}
	return false
}

// openSession starts a command line. The session's standard error is read all
// along, up to a bound, so that a command that complains does not stall.
func (c *Conn) openSession(ctx context.Context, line, op string, limit int) (*session, error) {
	var s *session
	var err error
	for wait := sessionWait; ; wait *= 2 {
		s, err = await(ctx, c.asking(remote.StageChannel, op),
			func() (*session, error) { return c.startSession(line, limit) },
			func(s *session) { s.close() })
		if err == nil {
			return s, nil
		}
		if _, ok := errors.AsType[*gossh.OpenChannelError](err); !ok || wait > sessionWaits || !c.pause(ctx, wait) {
			break
		}
	}
	if _, ok := errors.AsType[*gossh.OpenChannelError](err); ok {
		e := c.fail(remote.StageChannel, remote.ErrTooManySessions, op, err)
		e.Detail = "sshd opened no session (MaxSessions in sshd_config)"
		return nil, e
	}
	if errors.Is(err, errRefusedCommand) {
		return nil, c.fail(remote.StageRequest, remote.ErrForwardingRefused, op, err)
	}
	return nil, c.asError(remote.StageChannel, op, err)
}

func (c *Conn) startSession(line string, limit int) (*session, error) {
	channel, requests, err := c.client.OpenChannel("session", nil)
	if err != nil {
		return nil, err
	}
	s := &session{channel: channel, ended: make(chan struct{}), drained: make(chan struct{}), err: remote.Capped{Limit: limit}}
	started := c.start(func() { s.watch(requests) }) && c.start(func() { s.drain() })
	if !started {
		channel.Close()
		return nil, io.EOF
	}
	ok, err := channel.SendRequest("exec", true, gossh.Marshal(struct{ Command string }{line}))
	if err == nil && !ok {
		err = errRefusedCommand
	}
	if err != nil {
		channel.Close()
		return nil, err
	}
	return s, nil
}

// watch takes the host's word on how the command ended, until the channel is closed.
func (s *session) watch(requests <-chan *gossh.Request) {
	defer close(s.ended)
	for r := range requests {
		switch r.Type {
		case "exit-status":
			var m struct{ Status uint32 }
			if gossh.Unmarshal(r.Payload, &m) == nil {
				s.exit.ExitCode, s.exited = int(int32(m.Status)), true
			}
		case "exit-signal":
			var m struct {
				Signal string
				Core   bool
				Error  string
				Lang   string
			}
			if gossh.Unmarshal(r.Payload, &m) == nil {
				s.exit.ExitCode, s.exit.Signal, s.exited = -1, m.Signal, true
			}
		}
		if r.WantReply {
			_ = r.Reply(false, nil) // a channel that is gone wants no reply
		}
	}
}

func (s *session) drain() {
	defer close(s.drained)
	buf := make([]byte, 4096)
	for {
		n, err := s.channel.Stderr().Read(buf)
		s.mu.Lock()
		_, _ = s.err.Write(buf[:n]) // Capped never fails
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *session) stderr() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]byte(nil), s.err.Bytes...)
}

// close gives the session up: what runs there sees its pipes closed.
func (s *session) close() {
	s.closed.Store(true)
	s.channel.Close()
}

func (s *session) closedByUs() bool { return s.closed.Load() }

// Run implements remote.Conn. At most three commands run at once on a
// connection; the others wait for their turn until ctx ends.
func (c *Conn) Run(ctx context.Context, cmd remote.Command) (remote.Output, error) {
	if err := cmd.Validate(); err != nil {
		return remote.Output{}, c.fail(remote.StageConfig, remote.ErrConfig, "run a command", err)
	}
	op := "run " + cmd.Argv[0]
	select {
	case c.runs <- struct{}{}:
		defer func() { <-c.runs }()
	case <-c.done:
		return remote.Output{}, c.broken(op)
	case <-ctx.Done():
		return remote.Output{}, c.fail(remote.StageChannel, ctxClass(ctx), op, ctx.Err())
	}
	s, err := c.openSession(ctx, cmd.String(), op, cmd.OutputLimit())
	if err != nil {
		return remote.Output{}, err
	}
	return c.finish(ctx, s, cmd)
}

// finish feeds the command and takes its output until the host has closed the
// session.
func (c *Conn) finish(ctx context.Context, s *session, cmd remote.Command) (remote.Output, error) {
	op := "run " + cmd.Argv[0]
	stdout := remote.Capped{Limit: cmd.OutputLimit()}
	read := make(chan struct{})
	c.start(func() {
		// A command need not read its input: an error here is no failure of it.
		if cmd.Stdin != nil {
			_, _ = io.Copy(s.channel, cmd.Stdin)
		}
		_ = s.channel.CloseWrite()
	})
	// Output that was cut off is told by the missing exit status.
	if !c.start(func() { defer close(read); _, _ = io.Copy(&stdout, s.channel) }) {
		return remote.Output{}, c.broken(op)
	}
	var cut error
	select {
	case <-read:
		select {
		case <-s.ended:
		case <-ctx.Done():
			cut = ctx.Err()
		}
	case <-ctx.Done():
		cut = ctx.Err()
	}
	if cut != nil {
		c.start(func() {
			_, _ = s.channel.SendRequest("signal", false, gossh.Marshal(struct{ Signal string }{"KILL"}))
			s.close()
		})
		return remote.Output{}, c.fail(remote.StageRequest, ctxClass(ctx), op, cut)
	}
	s.close()
	<-s.drained
	if !s.exited {
		if !c.alive() {
			return remote.Output{}, c.broken(op)
		}
		return remote.Output{}, c.fail(remote.StageRequest, nil, op, errors.New("the host closed the session and did not say how the command ended"))
	}
	out := s.exit
	out.Stdout, out.Stderr = stdout.Bytes, s.stderr()
	out.Truncated = stdout.Truncated || s.truncated()
	return out, nil
}

func (s *session) truncated() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err.Truncated
}
