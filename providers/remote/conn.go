package remote

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
)

// Conn is one persistent connection to a host. It is safe for concurrent use.
//
// Whoever made it closes it. A connection that was lost does not come back:
// make a new one. All errors that stem from the connection, and not from what
// was reached over it, are an [*Error].
type Conn interface {
	// DialContext opens a stream to a unix socket ("unix", path) or a TCP
	// address ("tcp", "host:port") as the host sees it. The returned net.Conn
	// has a CloseWrite method. ctx bounds the opening only; the stream then
	// lives until it is closed or the connection ends. A stream cut by the loss
	// of the connection ends with an error and never with io.EOF, so that a
	// half-received answer is not taken for a whole one.
	//
	// Safe to call again after an error. Deadlines on the stream need not be
	// supported: cancel by closing it.
	//
	// Classes: ErrSocketMissing, ErrSocketDenied, ErrSocketDead, ErrRefused,
	// ErrForwardingRefused, ErrTooManySessions, ErrUnreachable, ErrClosed.
	DialContext(ctx context.Context, network, addr string) (net.Conn, error)

	// Listen asks the host to listen on its own loopback and hands the
	// connections made there to us. network is "tcp", addr an IP address of the
	// loopback with a port, where port 0 lets the host choose: the listener's
	// Addr tells. Any other address is an error of class ErrConfig: nothing of
	// ours is ever opened to the host's network. Closing the listener closes the
	// connections that were not accepted yet, and no others.
	Listen(ctx context.Context, network, addr string) (net.Listener, error)

	// Run runs one command on the host and waits for it. A command that ran and
	// failed is no error: its exit status is in the Output. When ctx ends first
	// the command is sent SIGKILL where the host allows it (sshd does not for
	// root) and loses its input and output in any case; it may go on. The error
	// wraps ctx.Err(), and what came of the command is unknown.
	Run(ctx context.Context, cmd Command) (Output, error)

	// Done is closed when the connection is lost or closed.
	Done() <-chan struct{}

	// Err says why Done is closed: ErrClosed after Close, an [*Error] after a
	// loss, nil while the connection stands.
	Err() error

	// Close ends the connection, every stream and every listener, and waits for
	// all that belongs to it. It may be called again, and concurrently; it
	// returns nil when the connection was already lost.
	Close() error
}

// DefaultMaxOutput is how many bytes of each output of a command are kept when
// Command.MaxOutput is zero. What is asked of a host by command is a line or
// two; whole logs come through the engine.
const DefaultMaxOutput = 1 << 20

// Command is one command to run on a host.
type Command struct {
	Argv      []string  // the program and its arguments; never empty, no NUL byte
	Stdin     io.Reader // nil: empty; it has to come to an end, for Close waits for its reader
	MaxOutput int       // bytes kept of stdout and of stderr each; 0: DefaultMaxOutput
}

// String is the command as a POSIX shell would be given it.
func (c Command) String() string { return Quote(c.Argv) }

// Validate reports a command that cannot be sent: no program, or a NUL byte,
// which no argument vector can hold.
func (c Command) Validate() error {
	if len(c.Argv) == 0 || c.Argv[0] == "" {
		return fmt.Errorf("%w: a command without a program", ErrConfig)
	}
	for _, a := range c.Argv {
		if strings.IndexByte(a, 0) >= 0 {
			return fmt.Errorf("%w: a NUL byte in an argument of %q", ErrConfig, c.Argv[0])
		}
	}
	return nil
}

// OutputLimit is the number of bytes of each output to keep.
func (c Command) OutputLimit() int {
	if c.MaxOutput > 0 {
		return c.MaxOutput
	}
	return DefaultMaxOutput
}

// Output is what a command that ran has left.
type Output struct {
	Stdout    []byte
	Stderr    []byte
	Truncated bool   // more was written than Command.MaxOutput; the rest was read and dropped
	ExitCode  int    // -1 when a signal ended it
	Signal    string // name without SIG, for instance "KILL"; empty after an exit
}

// OK reports whether the command exited with status 0.
func (o Output) OK() bool { return o.ExitCode == 0 && o.Signal == "" }

// Capped is an io.Writer that keeps the first Limit bytes and takes the rest
// without keeping it, so that a talkative peer costs no memory and never blocks.
// Not safe for concurrent use.
type Capped struct {
	Limit     int
	Bytes     []byte
	Truncated bool
}

// Write never fails and never writes short.
func (w *Capped) Write(p []byte) (int, error) {
	keep := p
	if room := w.Limit - len(w.Bytes); len(keep) > room {
		keep, w.Truncated = keep[:max(room, 0)], true
	}
	w.Bytes = append(w.Bytes, keep...)
	return len(p), nil
}

// CheckLoopback reports what Listen must refuse: any network but "tcp", and any
// address but an IP address of the loopback.
func CheckLoopback(network, addr string) error {
	if network != "tcp" {
		return fmt.Errorf("%w: cannot listen on network %q", ErrConfig, network)
	}
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return fmt.Errorf("%w: cannot listen on %q: %w", ErrConfig, addr, err)
	}
	if !ap.Addr().IsLoopback() {
		return fmt.Errorf("%w: %s is not on the loopback, and nothing of ours listens elsewhere", ErrConfig, addr)
	}
	return nil
}
