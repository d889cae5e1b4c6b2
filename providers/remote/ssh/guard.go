package ssh

import (
	"context"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stowage-run/stowage/providers/remote"
)

// errStageLate is why a guard's context ended when a stage had no more time.
var errStageLate = errors.New("deadline of the stage exceeded")

// guard gives every stage of a Dial its own deadline. When one is late, or the
// caller's context ends, the guard's context ends, and with it the TCP connection
// under all of it, which is what unblocks the library.
type guard struct {
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	stage remote.Stage
	timer *time.Timer // nil before the first stage and after the last
	limit time.Duration
}

func newGuard(ctx context.Context) *guard {
	g := &guard{}
	g.ctx, g.cancel = context.WithCancelCause(ctx)
	return g
}

// enter begins a stage. After finish it does nothing: the host key is judged
// anew at every key exchange of a standing connection.
func (g *guard) enter(stage remote.Stage, limit time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.stage == stageDone {
		return
	}
	g.stage, g.limit = stage, limit
	if g.timer != nil {
		g.timer.Stop()
	}
	g.timer = time.AfterFunc(limit, func() { g.cancel(errStageLate) })
}

// stageDone is the guard's own mark; no error carries it.
const stageDone remote.Stage = "done"

// finish ends the guarding, and says which stage was the last.
func (g *guard) finish() remote.Stage {
	g.mu.Lock()
	defer g.mu.Unlock()
	last := g.stage
	if g.timer != nil {
		g.timer.Stop()
	}
	g.stage = stageDone
	return last
}

// current is the stage under way.
func (g *guard) current() remote.Stage {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.stage
}

// wire is the connection under an SSH connection. It notes when something came
// in last, for the keepalive, and that it has failed, for those who must
// tell a stream that ended from one that was cut.
type wire struct {
	net.Conn
	reads  atomic.Int64 // how many reads brought something
	failed atomic.Bool  // it failed before we closed it
	closed atomic.Bool
}

func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if n > 0 {
		w.reads.Add(1)
	}
	if err != nil && !w.closed.Load() {
		w.failed.Store(true)
	}
	return n, err
}

func (w *wire) Write(p []byte) (int, error) {
	n, err := w.Conn.Write(p)
	if err != nil && !w.closed.Load() {
		w.failed.Store(true)
	}
	return n, err
}

// Close is how the library hangs up, which it does after a refusal too.
func (w *wire) Close() error {
	w.closed.Store(true)
	return w.Conn.Close()
}
