package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/health"
	"github.com/stowage-run/stowage/internal/sim/bug"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/state"
)

const (
	// gateBound ends a gate for which the workload sets no deadline.
	gateBound = 10 * time.Minute

	// silentBound is how long nobody may be able to ask a replica before its gate fails. Four times what finds a dead peer.
	silentBound = time.Minute

	// quietBound is how long nobody has been able to ask a replica when its gate's time is up, for its host to be taken for lost:
	// what is done then waits for no answer of it.
	quietBound = 5 * time.Second

	// crashLoop is how many times the engine may start a new container again before it is given up. One or two can be an
	// application that waits for another by ending.
	crashLoop = 3

	// witnesses is how many of those that have passed a gate before are looked at again at each further one. All of them at each
	// would be the square of their number; a rollout of more is looked at in turn.
	witnesses = 16
)

// witness is a replica that has passed its gate. It stands for it that the release is good, as long as it goes on.
type witness struct {
	addr   fleet.Addr
	host   fleet.HostName
	target health.Target
	start  time.Time // of the container
}

// UnhealthyError is a replica that did not count as healthy when it had to.
type UnhealthyError struct {
	Replica fleet.Addr
	Host    fleet.HostName
	Why     string   // for people; may hold untrusted text
	Logs    []string // the last lines of its output, at most 10; untrusted text
}

// Error says which, where and why, without the logs.
func (e *UnhealthyError) Error() string { return fmt.Sprintf("on %s: %s", e.Host, e.Why) }

// gate waits until a replica counts as healthy.
func (r *run) gate(ctx context.Context, s *plan.Step) outcome {
	id := r.gated(s)
	if s.Gate.Brief && s.Gate.Health.Kind == fleet.CheckImage && r.upWithoutCheck(s) {
		return outcome{kind: EventDone, id: id}
	}
	if bug.GateOpen {
		return outcome{kind: EventDone, id: id}
	}
	err := r.waitHealthy(ctx, s, id)
	if err == nil && !s.Gate.Brief {
		err = r.others(ctx, s)
	}
	var sick *UnhealthyError
	if errors.As(err, &sick) && s.Gate.Lenient {
		r.emit(EventRetry, s.ID, func(e *Event) { e.Err = err })
		err = nil
	}
	if err == nil {
		return outcome{kind: EventDone, id: id}
	}
	if sick != nil {
		r.takeBack(ctx, s, id)
	}
	return outcome{kind: EventFailed, id: id, err: err}
}

// upWithoutCheck reports whether what a gate asks was seen to run when it was started, and has no check of its own: there is nothing
// more to ask it then.
func (r *run) upWithoutCheck(s *plan.Step) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range s.Needs {
		if r.plain[n] {
			return true
		}
	}
	return false
}

// gated is the container that a gate asks.
func (r *run) gated(s *plan.Step) string {
	if s.Container != nil {
		return s.Container.ID
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range s.Needs {
		if id := r.made[n]; id != "" {
			return id
		}
	}
	return ""
}

// waitHealthy asks again and again until the replica has been healthy for long enough, or will not be: it ended, starts again
// and again, was healthy and is no longer, or is not healthy after the start period that somebody gave it. Where nobody gave it
// one it has until the deadline: an application that takes its time is none that is broken.
func (r *run) waitHealthy(ctx context.Context, s *plan.Step, id string) error {
	g := s.Gate
	t := health.Target{Container: id, Check: g.Health, Port: g.Port}
	tracker := health.New(g.Health, time.Now())
	begin := time.Now()
	deadline := r.deadline(s, begin)
	heard, passed := begin, false
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return fmt.Errorf("%w before %s was seen to be healthy", ErrInterrupted, s.Addr)
		case <-r.job.Stop:
			return fmt.Errorf("%w before %s was seen to be healthy", ErrInterrupted, s.Addr)
		}
		a := r.askBy(ctx, deadline, s.Host, t)
		now := time.Now()
		tracker.Observe(now, a)
		if a.Verdict != health.Unknown {
			heard = now
		}
		status, since := tracker.Status(now)
		passed = passed || status == health.StatusHealthy
		switch {
		case status == health.StatusHealthy && tracker.HealthyFor(now) >= g.Healthy:
			r.prove(s, witness{s.Addr, s.Host, t, a.Started})
			return nil
		case a.Ended, a.Restarts >= crashLoop:
			return r.sick(ctx, s, id, a.Said)
		case status == health.StatusUnhealthy && (passed || g.Health.StartPeriod > 0):
			return r.sick(ctx, s, id, a.Said)
		case now.Sub(heard) > silentBound:
			r.lose(s.Host, fmt.Errorf("nobody could ask it for %s: %s", silentBound, a.Said))
			return r.sick(ctx, s, id, fmt.Sprintf("could not be asked for %s: %s", silentBound, a.Said))
		case now.After(deadline):
			if now.Sub(heard) >= quietBound {
				r.lose(s.Host, fmt.Errorf("nobody could ask it for %s: %s", now.Sub(heard).Round(time.Second), a.Said))
			}
			return r.sick(ctx, s, id, fmt.Sprintf("not healthy for %s within %s; the last answer: %s", g.Healthy, deadline.Sub(begin).Round(time.Second), a.Said))
		}
		next := tracker.Next(now)
		if status == health.StatusHealthy && !since.IsZero() {
			next = earlier(next, since.Add(g.Healthy))
		}
		timer.Reset(max(next.Sub(now), 0))
	}
}

// deadline is when a gate that begins now gives up: by its own time, or because the rollout makes no progress.
func (r *run) deadline(s *plan.Step, now time.Time) time.Time {
	g := s.Gate
	at := now.Add(gateBound)
	if g.Deadline > 0 {
		at = now.Add(g.Deadline)
	}
	if ro := r.rolloutOf(s); ro != nil && g.Progress > 0 {
		r.mu.Lock()
		defer r.mu.Unlock()
		at = earlier(at, ro.progress.Add(g.Progress))
	}
	return at
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// ask asks once. A host that cannot be reached gives no answer.
func (r *run) ask(ctx context.Context, h fleet.HostName, t health.Target) health.Answer {
	e, err := r.engine(ctx, h)
	if err != nil {
		return health.Answer{Verdict: health.Unknown, Said: err.Error()}
	}
	return health.Probe(ctx, e, t)
}

// askBy asks once, and no longer than until shortly after a deadline: a host that has fallen silent does not keep a gate open.
func (r *run) askBy(ctx context.Context, deadline time.Time, h fleet.HostName, t health.Target) health.Answer {
	asking, cancel := context.WithDeadline(ctx, deadline.Add(time.Second))
	defer cancel()
	a := r.ask(asking, h, t)
	if a.Verdict == health.Unknown && asking.Err() != nil && ctx.Err() == nil {
		a.Said = fmt.Sprintf("none: host %q has fallen silent", h)
	}
	return a
}

// sick is the error of a replica that did not pass, with its last words.
func (r *run) sick(ctx context.Context, s *plan.Step, id, why string) error {
	err := &UnhealthyError{Replica: s.Addr, Host: s.Host, Why: why}
	if r.isLost(s.Host) != nil {
		return err
	}
	if e, bad := r.engine(ctx, s.Host); bad == nil {
		err.Logs = r.lastLines(ctx, e, id)
	}
	return err
}

// prove notes who has passed.
func (r *run) prove(s *plan.Step, w witness) {
	if ro := r.rolloutOf(s); ro != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		ro.proven = append(ro.proven, w)
		ro.progress = time.Now()
	}
}

// others looks again at some of those that have passed before: a release whose replicas die after a while is no better than one
// whose replicas never start.
func (r *run) others(ctx context.Context, s *plan.Step) error {
	ro := r.rolloutOf(s)
	if ro == nil {
		return nil
	}
	r.mu.Lock()
	n := min(witnesses, len(ro.proven))
	some := append([]witness(nil), ro.proven[:n]...)
	ro.proven = append(ro.proven[n:], some...) // in turn
	r.mu.Unlock()
	for _, w := range some {
		a := r.ask(ctx, w.host, w.target)
		restarted := !a.Started.IsZero() && !w.start.IsZero() && !a.Started.Equal(w.start)
		if a.Verdict != health.Unhealthy && !restarted {
			continue
		}
		why := a.Said
		if restarted {
			why = "it ended and was started again"
		}
		return r.sick(ctx, &plan.Step{Addr: w.addr, Host: w.host}, w.target.Container, fmt.Sprintf("%s was healthy and is no longer: %s", w.addr, why))
	}
	return nil
}

// takeBack removes a new container that did not pass its gate while the one that it was to take the place of still runs: that one
// stays, and is recorded again. Where there is none the new one is left for the way back to replace.
func (r *run) takeBack(ctx context.Context, s *plan.Step, id string) {
	var heirs []int
	for _, n := range s.Needs {
		heirs = append(heirs, r.heirs[n]...)
	}
	replica, ok := s.Addr.Replica()
	old := r.held(replica)
	if len(heirs) == 0 || !ok || old.Container == "" {
		return
	}
	var c state.Changes
	remove := state.Intent{
		Op: fleet.OpID(r.job.NewID()), Plan: r.job.Plan.ID, Step: s.ID, Kind: string(plan.KindRemove), Host: s.Host, Addr: s.Addr,
		Object: s.Instance.ContainerName(), Generation: s.Instance.Generation, Revision: s.Instance.Revision, Started: r.job.Now().UTC(),
	}
	old.Last = s.Instance.Generation
	c.PutIntent(remove)
	if !bug.TakeBackUnrecorded {
		c.PutReplica(old)
	}
	for _, heir := range heirs {
		op, _ := r.opOf(heir)
		c.DeleteIntent(op)
	}
	if err := r.write.Commit(ctx, c); err != nil {
		return // the writer keeps the error, and the next plan looks after the two containers
	}
	if r.isLost(s.Host) != nil {
		return // as the next plan looks after the intent
	}
	e, err := r.engine(ctx, s.Host)
	if err == nil {
		err = e.Remove(ctx, id)
	}
	if err == nil || errors.Is(err, providers.ErrNotFound) {
		var gone state.Changes
		gone.DeleteIntent(remove.Op)
		_ = r.write.Commit(ctx, gone) // the writer keeps the error; the intent is looked after by the next plan
	}
}
