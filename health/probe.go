package health

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

const (
	// lookTimeout bounds the question to the engine that goes with each probe. It takes a millisecond and a round trip; an engine
	// that starts sixteen containers at once takes seconds.
	lookTimeout = 10 * time.Second
	// defaultTimeout is that of a check that has none.
	defaultTimeout = 5 * time.Second
)

// Probe asks a container once. It takes no longer than the check's timeout and ten seconds more. It is safe for concurrent use.
//
// The check comes first and the engine's own word on the container second. That order matters: an answer before a restart
// that is counted for the life after it costs one probe of patience; one after a restart that is counted for the life before
// it would prove a container that has died. And it settles what a silence means: where the engine still answers, it was the
// container that did not.
func Probe(ctx context.Context, e providers.Engine, t Target) Answer {
	a := check(ctx, e, t)
	if ctx.Err() != nil {
		return Answer{Verdict: Unknown, Said: "the check was interrupted", Time: time.Now()}
	}
	look, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	c, err := e.Inspect(look, t.Container)
	return settle(a, t, c, err)
}

// finding is what a check has found.
type finding struct {
	verdict Verdict
	said    string
}

func healthy(format string, args ...any) finding {
	return finding{Healthy, fmt.Sprintf(format, args...)}
}

func unhealthy(format string, args ...any) finding {
	return finding{Unhealthy, fmt.Sprintf(format, args...)}
}

func unknown(err error) finding { return finding{Unknown, cut(err.Error())} }

// check asks as the target's check says.
func check(ctx context.Context, e providers.Engine, t Target) finding {
	timeout := t.Check.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	w := &way{engine: e, target: t, timeout: timeout}
	var f finding
	switch t.Check.Kind {
	case fleet.CheckImage:
		return finding{}
	case fleet.CheckHTTP:
		f = w.http(ctx)
	case fleet.CheckTCP:
		f = w.tcp(ctx)
	case fleet.CheckGRPC:
		f = w.grpc(ctx)
	case fleet.CheckCommand:
		f = w.command(ctx)
	default:
		return unknown(fmt.Errorf("there is no health check of kind %q", t.Check.Kind))
	}
	if f.verdict == Unhealthy && w.lost.Load() {
		return finding{Unknown, "the connection to the host was lost: " + f.said}
	}
	return f
}

// settle puts together what the check has found and what the engine says.
func settle(f finding, t Target, c fleet.Container, err error) Answer {
	a := Answer{Verdict: f.verdict, Said: f.said, Time: time.Now()}
	switch {
	case errors.Is(err, providers.ErrNotFound):
		a.Verdict, a.Said, a.Ended = Unhealthy, "the container is gone", true
		return a
	case err != nil:
		a.Verdict, a.Said = Unknown, cut(err.Error())
		return a
	}
	a.Started, a.Restarts = c.Started, c.Restarts
	if c.Phase != fleet.PhaseRunning {
		a.Verdict, a.Said = Unhealthy, notRunning(c)
		a.Ended = c.Phase == fleet.PhaseExited || c.Phase == fleet.PhaseDead || c.Phase == fleet.PhaseRemoving
		return a
	}
	switch {
	case t.Check.Kind == fleet.CheckImage:
		a.Verdict, a.Said = image(c)
	case f.verdict == Unhealthy && t.Check.Kind != fleet.CheckCommand && alone(c):
		a.Said = "port " + strconv.Itoa(int(t.Port)) + ": the container has no network"
	}
	return a
}

// alone reports whether a container is on no network.
func alone(c fleet.Container) bool {
	return len(c.Networks) == 0 || len(c.Networks) == 1 && c.Networks[0] == "none"
}

// image is the verdict of the image's own health check, which its engine makes.
func image(c fleet.Container) (Verdict, string) {
	switch c.Health {
	case "healthy":
		return Healthy, "the image's health check: healthy"
	case "unhealthy":
		return Unhealthy, "the image's health check: unhealthy"
	case "":
		return Healthy, "it runs"
	}
	return Starting, "the image's health check: " + cut(c.Health)
}

func notRunning(c fleet.Container) string {
	s := "the container does not run: it is " + string(c.Phase)
	if c.Phase == fleet.PhaseExited || c.Phase == fleet.PhaseRestarting {
		s += ", status " + strconv.Itoa(c.ExitCode)
	}
	if c.OOMKilled {
		s += ", killed for want of memory"
	}
	if c.Restarts > 0 {
		s += fmt.Sprintf(", restarted %d times", c.Restarts)
	}
	if c.Error != "" {
		s += ": " + firstLine(c.Error)
	}
	return s
}

// way is how one probe reaches its target.
type way struct {
	engine  providers.Engine
	target  Target
	timeout time.Duration
	lost    atomic.Bool // the connection to the host broke
	refused atomic.Bool // the port was
}

// question is what is asked, for people.
func (w *way) question() string {
	c := w.target.Check
	switch c.Kind {
	case fleet.CheckHTTP:
		return "GET " + cut(path(c))
	case fleet.CheckGRPC:
		return "gRPC health check of " + strconv.Quote(cut(c.Service))
	case fleet.CheckCommand:
		if len(c.Command) > 0 {
			return "command " + cut(c.Command[0])
		}
		return "command"
	}
	return "port " + strconv.Itoa(int(w.target.Port))
}

// dial opens a stream to the target's port that notes the loss of the connection. What libraries make of a stream's errors
// does not always have them in its chain.
func (w *way) dial(ctx context.Context) (net.Conn, error) {
	conn, err := w.engine.Dial(ctx, w.target.Container, w.target.Port)
	if err != nil {
		w.note(err)
		w.refused.Store(errors.Is(err, providers.ErrRefused))
		return nil, err
	}
	return &noting{conn, w}, nil
}

// note remembers an error that is the host's and not the container's. Time that ran out may be either's.
func (w *way) note(err error) {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return
	}
	if errors.Is(err, providers.ErrUnreachable) || errors.Is(err, providers.ErrUnknown) {
		w.lost.Store(true)
	}
}

// failed is a check that got no answer.
func (w *way) failed(ctx context.Context, err error) finding {
	w.note(err)
	if ctx.Err() != nil {
		return unhealthy("%s: no answer within %v", w.question(), w.timeout)
	}
	if errors.Is(err, providers.ErrRefused) {
		return unhealthy("%s: connection refused on port %d", w.question(), w.target.Port)
	}
	return unhealthy("%s: %s", w.question(), cut(err.Error()))
}

type noting struct {
	net.Conn
	way *way
}

func (n *noting) Read(p []byte) (int, error) {
	k, err := n.Conn.Read(p)
	n.way.note(err)
	return k, err
}

func (n *noting) Write(p []byte) (int, error) {
	k, err := n.Conn.Write(p)
	n.way.note(err)
	return k, err
}
