package apply

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/state"
)

// The pauses between two looks at a container that is to end: short at first, since many end at once, and then such that a
// hundred jobs that take hours cost a host nothing.
const (
	firstLook = 50 * time.Millisecond
	lastLook  = time.Second
)

// FailedError is the container of a job that has failed for good.
type FailedError struct {
	Container string // its name
	Why       string // "exit status 3", "it took longer than 1m0s"; for people
	Runs      int    // that have failed, this one included
	Logs      []string
}

// Error says how it failed and how often, without the logs.
func (e *FailedError) Error() string {
	s := fmt.Sprintf("%s did not complete: %s", e.Container, e.Why)
	if e.Runs > 1 {
		s += fmt.Sprintf(", the last of %d runs", e.Runs)
	}
	return s
}

// completion is a container that is to end, as it is waited for. See plan.Complete for what is written down when.
type completion struct {
	*run
	step    *plan.Step
	id      string
	name    string // of the container
	failed  int
	counted time.Time // the start of the last run that failed
	begun   time.Time // of the present run, for what is written down
	since   time.Time // likewise, for what is waited for
	why     string    // the last one failed
}

// completes takes a Complete through its life. What it changes on the host is the container that the record names already, so there
// is no intent: who is cut off here looks at it again.
func (r *run) completes(ctx context.Context, i int) outcome {
	s := &r.job.Plan.Steps[i]
	c := &completion{run: r, step: s, id: r.gated(s), failed: s.Complete.Failed, counted: s.Complete.Counted, begun: s.Complete.Begun}
	c.since = time.Now()
	if c.begun.IsZero() {
		c.begun = r.job.Now()
	} else {
		c.since = c.since.Add(-max(0, r.job.Now().Sub(c.begun))) // a run goes on while nobody waits for it
	}
	o := outcome{step: i, kind: EventDone, id: c.id}
	if isHook(s) {
		c.hook(ctx, &o)
		return o
	}
	if o.err = c.wait(ctx); o.err == nil {
		o.err = r.write.Commit(context.WithoutCancel(ctx), r.changes(s, c.id))
	}
	if o.err != nil {
		o.kind = EventFailed
		r.fails(ctx, s, &o)
	}
	return o
}

// wait looks until the container has ended for good, and does what has to be done in between. Where the host gives no answer for
// longer than silentBound it is lost: what becomes of the run is for the next plan to see.
func (c *completion) wait(ctx context.Context) error {
	pause, heard := firstLook, time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-ctx.Done():
			return fmt.Errorf("%w before %s had completed", ErrInterrupted, c.step.Addr)
		case <-c.job.Stop:
			return fmt.Errorf("%w before %s had completed", ErrInterrupted, c.step.Addr)
		}
		ended, err := c.advance(ctx)
		switch {
		case err == nil:
			heard = time.Now()
		case ctx.Err() != nil:
			return fmt.Errorf("%w before %s had completed", ErrInterrupted, c.step.Addr)
		case errors.Is(err, providers.ErrUnreachable), errors.Is(err, providers.ErrUnknown):
			if time.Since(heard) > silentBound {
				c.lose(c.step.Host, err)
				return err
			}
		default:
			return err
		}
		if ended {
			return nil
		}
		timer.Reset(pause)
		pause = min(2*pause, lastLook)
	}
}

// advance looks once and takes the run one transition on. ended: it has completed.
func (c *completion) advance(ctx context.Context) (ended bool, err error) {
	e, err := c.engine(ctx, c.step.Host)
	if err != nil {
		return false, err
	}
	seen, err := e.Inspect(ctx, c.id)
	if errors.Is(err, providers.ErrNotFound) {
		return false, fmt.Errorf("the container of %s was removed before it had completed: %w", c.step.Addr, err)
	}
	if err != nil {
		return false, err
	}
	c.name = seen.Name
	do := c.step.Complete
	late := do.Timeout > 0 && time.Since(c.since) > do.Timeout
	switch failed := c.failed > 0 && seen.Started.Equal(c.counted); seen.Phase {
	case fleet.PhaseCreated:
		return false, c.start(ctx, e)
	case fleet.PhasePaused:
		return false, c.late(ctx, seen, late)
	case fleet.PhaseRunning, fleet.PhaseRestarting:
		if failed {
			return false, e.Stop(ctx, c.id, "", do.Grace)
		}
		return false, c.late(ctx, seen, late)
	default:
		switch {
		case !failed && seen.Phase == fleet.PhaseExited && seen.ExitCode == 0:
			return true, nil
		case !failed:
			return false, c.count(ctx, seen, how(seen))
		case c.failed > do.Retries:
			if c.why == "" {
				c.why = how(seen)
			}
			return false, &FailedError{Container: c.name, Why: c.why, Runs: c.failed, Logs: c.lastLines(ctx, e, c.id)}
		}
		return false, c.start(ctx, e)
	}
}

// how says how a container ended.
func how(c fleet.Container) string {
	s := fmt.Sprintf("exit status %d", c.ExitCode)
	if c.OOMKilled {
		s += ", killed for lack of memory"
	}
	if c.Error != "" {
		s += ": " + c.Error
	}
	return s
}

// late counts a run that takes too long as failed; the next look finds it so and stops it.
func (c *completion) late(ctx context.Context, seen fleet.Container, late bool) error {
	if !late {
		return nil
	}
	return c.count(ctx, seen, fmt.Sprintf("it took longer than %s", c.step.Complete.Timeout))
}

// count records that the run which was started then has failed.
func (c *completion) count(ctx context.Context, seen fleet.Container, why string) error {
	c.failed, c.counted, c.why = c.failed+1, seen.Started, why
	if err := c.record(ctx); err != nil {
		return fmt.Errorf("record that a run of %s has failed: %w", c.step.Addr, err)
	}
	if c.failed <= c.step.Complete.Retries {
		c.emit(EventRetry, c.step.ID, func(e *Event) { e.Err = errors.New(why) })
	}
	return nil
}

// start starts the container, and notes since when.
func (c *completion) start(ctx context.Context, e providers.Engine) error {
	c.begun, c.since = c.job.Now(), time.Now()
	if err := c.record(ctx); err != nil {
		return fmt.Errorf("record that %s is started: %w", c.step.Addr, err)
	}
	return e.Start(ctx, c.id)
}

// record writes down what is known of the runs so far.
func (c *completion) record(ctx context.Context) error {
	p := *c.step.Record.PutReplica
	p.Container, p.Proven = c.id, false
	p.Failed, p.Counted, p.Changed = c.failed, c.counted, c.begun.UTC()
	var changes state.Changes
	changes.PutReplica(p)
	return c.write.Commit(context.WithoutCancel(ctx), changes)
}
