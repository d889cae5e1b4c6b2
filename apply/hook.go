package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/state"
)

// isHook reports whether a step is one of a hook's container.
func isHook(s *plan.Step) bool {
	_, ok := hookOf(s)
	return ok
}

func hookOf(s *plan.Step) (fleet.HookKind, bool) {
	r, _ := s.Addr.Replica()
	return r.Slot.Hook()
}

// hook waits for a hook's container, shows what it writes, and removes it. That the hook has ended is recorded before its container
// goes, and the container's record goes after it: who is cut off in between neither runs the hook again nor leaves anything.
func (c *completion) hook(ctx context.Context, o *outcome) {
	if c.id != "" { // else it could not be started, and nobody minds
		o.err = c.watched(ctx)
	}
	var failed *FailedError
	if c.step.Lenient && errors.As(o.err, &failed) {
		c.emit(EventRetry, c.step.ID, func(e *Event) { e.Err = failed })
		o.err = nil
	}
	if o.err == nil {
		o.err = c.ran(ctx)
	}
	if o.err != nil {
		o.kind = EventFailed
		c.fails(ctx, c.step, o)
	}
	if ctx.Err() != nil || errors.Is(o.err, ErrInterrupted) || c.write.Err() != nil {
		return // it goes on, or nobody knows
	}
	if err := c.takeAway(ctx); err != nil {
		o.kind, o.err = EventFailed, errors.Join(o.err, err)
	}
}

// watched waits for the container while its output is told.
func (c *completion) watched(ctx context.Context) error {
	following, stop := context.WithCancel(ctx)
	told := make(chan struct{})
	go func() {
		defer close(told)
		e, err := c.engine(following, c.step.Host)
		if err != nil {
			return // the wait says so
		}
		// An output that breaks off is no failure: its last lines are in the error, if there is one.
		_ = e.Logs(following, c.id, providers.LogOptions{Follow: true, Tail: -1}, func(l providers.LogLine) error {
			c.emit(EventOutput, c.step.ID, func(e *Event) { e.Text = l.Text })
			return nil
		})
	}()
	err := c.wait(ctx)
	rest, cancel := context.WithTimeout(ctx, logWait)
	defer cancel()
	select {
	case <-told: // the output ends with the container
	case <-rest.Done():
	}
	stop()
	<-told
	return err
}

// ran records that a hook has ended.
func (c *completion) ran(ctx context.Context) error {
	kind, _ := hookOf(c.step)
	id, _ := c.step.Addr.Replica()
	var changes state.Changes
	if ro := c.rolloutOf(c.step); ro != nil {
		c.mu.Lock()
		ro.Ran = append(slices.Clone(ro.Ran), kind)
		changes.PutRollout(ro.Rollout)
		c.mu.Unlock()
	} else if rec, ok := c.snap.Rollouts[id.Workload]; ok {
		rec.Ran = append(slices.Clone(rec.Ran), kind)
		changes.PutRollout(rec)
	}
	if err := c.write.Commit(context.WithoutCancel(ctx), changes); err != nil {
		return fmt.Errorf("record that %s has ended: %w", c.step.Addr, err)
	}
	return nil
}

// takeAway removes a hook's container, and then its record.
func (c *completion) takeAway(ctx context.Context) error {
	for p := c.newPatience(); c.id != ""; {
		e, err := c.engine(ctx, c.step.Host)
		if err == nil {
			err = e.Remove(ctx, c.id)
		}
		if err == nil {
			break
		}
		again := errors.Is(err, providers.ErrUnreachable) || errors.Is(err, providers.ErrUnknown)
		if !again || !p.wait(ctx) {
			return fmt.Errorf("remove the container of %s: %w", c.step.Addr, err)
		}
	}
	if err := c.write.Commit(context.WithoutCancel(ctx), c.changes(c.step, c.id)); err != nil {
		return fmt.Errorf("record that the container of %s is removed: %w", c.step.Addr, err)
	}
	return nil
}

// changedNothing reports whether a rollout has failed before it changed anything: in its first hook, while every replica there is is
// one of what was good.
func (r *run) changedNothing(s *plan.Step, ro *rollout) bool {
	if kind, ok := hookOf(s); !ok || kind != fleet.HookPreDeploy {
		return false
	}
	for id, rec := range r.snap.Replicas {
		if _, hook := id.Slot.Hook(); hook || id.Workload != ro.Workload {
			continue
		}
		if ro.Good == nil || rec.Revision != ro.Good.Spec.Digest() {
			return false
		}
	}
	return true
}

// unmade makes a rollout that has changed nothing one that is taken back: the workload is recorded as what it is.
func (r *run) unmade(c *state.Changes, ro *rollout) {
	ro.Status = state.RolloutTaken
	if ro.Good != nil {
		c.PutWorkload(*ro.Good)
	} else {
		c.DeleteWorkload(ro.Workload)
	}
}
