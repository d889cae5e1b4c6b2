package apply

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/internal/sim/bug"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/state"
)

// step takes one step through its life: the intent becomes durable, the engine is called, the outcome
// becomes durable and the intent goes. It returns with the outcome recorded as far as it is known.
//
// follow says which step comes next once a call has succeeded; none: -1. The next step's intent is durable
// with the outcome.
func (r *run) step(ctx context.Context, i int, follow func(i int) int) (o outcome, next int) {
	s := &r.job.Plan.Steps[i]
	if s.Kind == plan.KindRecord {
		c := r.changes(s, "")
		r.bequeath(&c, s)
		if err := r.write.Commit(ctx, c); err != nil {
			return outcome{step: i, kind: EventFailed, err: fmt.Errorf("record %s: %w", s.Addr, err)}, -1
		}
		r.hold(s.Record.PutReplica)
		return outcome{step: i, kind: EventDone}, -1
	}
	switch s.Kind {
	case plan.KindGate:
		return r.pass(ctx, i), -1
	case plan.KindComplete:
		return r.completes(ctx, i), -1
	}
	op, noted := r.opOf(i)
	if !noted && !bug.NoIntent {
		var c state.Changes
		c.PutIntent(r.intent(s, op))
		if err := r.write.Commit(ctx, c); err != nil {
			return outcome{step: i, kind: EventFailed, err: fmt.Errorf("note the intent for %s: %w", s.Addr, err)}, -1
		}
	}
	o, next = r.call(ctx, s, op), -1
	o.step = i
	if o.kind == EventDone && s.Kind == plan.KindRun {
		r.mu.Lock()
		r.made[i] = o.id
		r.mu.Unlock()
	}
	if o.kind == EventDone {
		next = follow(i)
	}
	// What is known by now must be kept, even by one who leaves in a hurry. The store bounds the wait.
	o = r.settle(context.WithoutCancel(ctx), o, op, next)
	if o.kind != EventDone {
		r.fails(ctx, s, &o)
	}
	return o, next
}

// pass takes a gate through its life. It changes nothing on a host, so there is no intent: who is cut off here asks again.
func (r *run) pass(ctx context.Context, i int) outcome {
	s := &r.job.Plan.Steps[i]
	o := r.gate(ctx, s)
	o.step = i
	if o.kind == EventDone {
		c := r.changes(s, o.id)
		if c.Len() == 0 {
			return o
		}
		if err := r.write.Commit(context.WithoutCancel(ctx), c); err != nil {
			o.kind, o.err = EventFailed, fmt.Errorf("record that %s is healthy: %w", s.Addr, err)
		}
		return o
	}
	r.fails(ctx, s, &o)
	return o
}

// opOf returns the id of a step's intent, and whether the intent is durable already.
func (r *run) opOf(i int) (op fleet.OpID, noted bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if op = r.ops[i]; op != "" {
		return op, true
	}
	r.ops[i] = fleet.OpID(r.job.NewID())
	return r.ops[i], false
}

// forget takes an intent's id back: it did not become durable.
func (r *run) forget(i int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ops[i] = ""
}

// call does the step's work while it holds one of the host's slots.
func (r *run) call(ctx context.Context, s *plan.Step, op fleet.OpID) outcome {
	slot, ok := r.slots[s.Host]
	if !ok {
		return outcome{kind: EventFailed, err: fmt.Errorf("the plan does not say how to reach host %s", s.Host)}
	}
	select {
	case slot <- struct{}{}:
	case <-ctx.Done():
		return outcome{kind: EventFailed, err: fmt.Errorf("%w before %s was sent", ErrInterrupted, s.Kind)}
	}
	defer func() { <-slot }()
	if err := r.isLost(s.Host); err != nil {
		return outcome{kind: EventFailed, err: err}
	}
	o := r.pursue(ctx, s, op)
	if r.tolerated(s, &o) {
		r.emit(EventRetry, s.ID, func(e *Event) { e.Err = o.err })
		o.kind, o.err = EventDone, nil
	}
	if o.kind == EventFailed && o.id != "" && (len(r.heirs[s.ID]) > 0 || isHook(s)) {
		r.discard(ctx, s, &o)
	}
	if o.kind == EventFailed && s.Lenient && !o.open && ctx.Err() == nil {
		r.emit(EventRetry, s.ID, func(e *Event) { e.Err = o.err })
		o.kind, o.err = EventDone, nil
	}
	return o
}

// discard removes a container that was to take the place of another one and does not run: the other one
// stays, and stays recorded. Where it cannot be removed now its intent stays.
func (r *run) discard(ctx context.Context, s *plan.Step, o *outcome) {
	e, err := r.engine(ctx, s.Host)
	if err == nil {
		err = e.Remove(ctx, o.id)
	}
	o.id, o.open, o.discarded = "", err != nil, err == nil
	if err != nil {
		o.err = errors.Join(o.err, fmt.Errorf("remove it again: %w", err))
	}
}

// settle records the outcome of a step that had an intent, and with it the intent of the next step, unless that is -1.
func (r *run) settle(ctx context.Context, o outcome, op fleet.OpID, next int) outcome {
	s := &r.job.Plan.Steps[o.step]
	var c state.Changes
	switch {
	case o.kind == EventUnknown || o.open:
		return o
	case o.kind == EventFailed && s.Kind == plan.KindRemove && !bug.RemovalForgotten:
		return o // the intent may be all that names the container; where it is not, the next plan drops it
	case o.discarded && !bug.GenerationReused: // its number was used, and the record of the one that stays says so
		old := r.held(s.Instance.Replica)
		old.Last = max(old.Last, s.Instance.Generation)
		c.PutReplica(old)
	case o.kind == EventDone, s.Kind == plan.KindRun && o.id != "":
		// A container that was made and does not run is recorded too: nothing of ours stands anywhere
		// without a record, and its output says what is wrong.
		c = r.changes(s, o.id)
		r.bequeath(&c, s)
	}
	c.DeleteIntent(op)
	announced := next >= 0 && r.announce(&c, next)
	err := r.write.Commit(ctx, c)
	if err != nil && announced {
		r.forget(next)
	}
	switch {
	case err == nil:
		return o
	case o.kind == EventDone:
		o.kind, o.err = EventUnknown, fmt.Errorf("%s of %s was done, but not recorded: %w", s.Kind, s.Addr, err)
	default:
		o.err = errors.Join(o.err, fmt.Errorf("record the outcome of %s: %w", s.Addr, err))
	}
	return o
}

// announce adds a step's intent, where it has one that is not durable yet.
func (r *run) announce(c *state.Changes, i int) bool {
	s := &r.job.Plan.Steps[i]
	if s.Kind == plan.KindRecord {
		return false
	}
	op, noted := r.opOf(i)
	if !noted {
		c.PutIntent(r.intent(s, op))
	}
	return !noted
}

// bequeath keeps the container that a Run, or one that was found, takes the place of accounted for, since from now on no record names it: by
// the intents of the steps that remove it, or, where its host is silent, by one to remove it some day.
func (r *run) bequeath(c *state.Changes, s *plan.Step) {
	for _, heir := range r.heirs[s.ID] {
		if bug.HeirUnnamed {
			break
		}
		op, _ := r.opOf(heir)
		c.PutIntent(r.intent(&r.job.Plan.Steps[heir], op))
	}
	put := s.Record.PutReplica
	if put == nil || s.Kind != plan.KindRun && s.Kind != plan.KindRecord {
		return
	}
	old := r.held(put.Replica)
	if old.Container == "" || old.Host == put.Host || !r.silent(old.Host) {
		return
	}
	c.PutIntent(state.Intent{
		Op: fleet.OpID(r.job.NewID()), Plan: r.job.Plan.ID, Step: s.ID, Kind: string(plan.KindRemove), Host: old.Host, Addr: s.Addr,
		Object:     fleet.ContainerName(r.job.Plan.Name, old.Replica, old.Generation),
		Generation: old.Generation, Revision: old.Revision, Started: r.job.Now().UTC(),
	})
}

// silent reports whether a host did not answer when the plan was made.
func (r *run) silent(h fleet.HostName) bool {
	return slices.ContainsFunc(r.job.Plan.Skipped, func(s plan.Skipped) bool { return s.Host == h })
}

// intent is the note that a step is about to be sent.
func (r *run) intent(s *plan.Step, op fleet.OpID) state.Intent {
	in := state.Intent{
		Op: op, Plan: r.job.Plan.ID, Step: s.ID, Kind: string(s.Kind), Host: s.Host, Addr: s.Addr,
		Object: object(s), Started: r.job.Now().UTC(),
	}
	if s.Instance != nil {
		in.Generation, in.Revision = s.Instance.Generation, s.Instance.Revision
	}
	return in
}

// object is the name of what the step acts on, as the engine knows it.
func object(s *plan.Step) string {
	switch {
	case s.Kind == plan.KindRun && s.Instance != nil:
		return s.Instance.ContainerName()
	case s.Container != nil:
		return s.Container.Name
	case s.Network != nil:
		return s.Network.Engine
	case s.Volume != nil:
		return s.Volume.Engine
	case s.Image != nil:
		return s.Image.Ref
	}
	return ""
}

// held is the record of what filled a slot before any Run of this plan: as it was, or as a step has found it.
func (r *run) held(id fleet.ReplicaID) state.Replica {
	r.mu.Lock()
	defer r.mu.Unlock()
	if found, ok := r.found[id]; ok {
		return found
	}
	return r.snap.Replicas[id]
}

func (r *run) hold(rec *state.Replica) {
	if rec == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.found[rec.Replica] = *rec
}

// changes is what a finished step changes in the record. id is the container that a Run made.
func (r *run) changes(s *plan.Step, id string) state.Changes {
	var c state.Changes
	rec := &s.Record
	if rec.PutReplica != nil {
		p := *rec.PutReplica
		if p.Container == "" && (s.Kind == plan.KindRun || s.Kind == plan.KindGate || s.Kind == plan.KindComplete) {
			p.Container = id
		}
		p.Changed = r.job.Now().UTC()
		c.PutReplica(p)
	}
	if rec.DeleteReplica != nil {
		c.DeleteReplica(*rec.DeleteReplica)
	}
	if rec.PutVolume != nil {
		c.PutVolume(*rec.PutVolume)
	}
	if v := rec.DeleteVolume; v != nil {
		c.DeleteVolume(v.Host, v.Engine)
	}
	if rec.PutNetwork != nil {
		c.PutNetwork(*rec.PutNetwork)
	}
	if n := rec.DeleteNetwork; n != nil {
		c.DeleteNetwork(n.Host, n.Engine)
	}
	if rec.DeleteHost != "" {
		c.DeleteHost(rec.DeleteHost)
	}
	for _, op := range rec.DeleteIntents {
		c.DeleteIntent(op)
	}
	return c
}

// pursue makes the step's calls until their outcome is known, or nobody can say.
//
// A host that cannot be reached gets a few more tries before it is lost. A call whose outcome is unknown is
// looked after; where it had no effect it is made once more, since every call may be repeated. After a second
// call that nobody knows the outcome of, and whose effect is not to be seen, it might yet come: the intent stays.
func (r *run) pursue(ctx context.Context, s *plan.Step, op fleet.OpID) outcome {
	p := r.newPatience()
	unknown := 0
	made := "" // the container of a Run, once it is known
	for {
		id, err := r.act(ctx, s, op)
		id = cmp.Or(id, made)
		made = id
		if err == nil {
			return outcome{kind: EventDone, id: id}
		}
		switch {
		case errors.Is(err, providers.ErrUnknown) && !bug.UnknownIsFailed:
		case errors.Is(err, providers.ErrUnreachable) && ctx.Err() == nil:
			if p.wait(ctx) {
				r.emit(EventRetry, s.ID, func(e *Event) { e.Err = err })
				continue
			}
			r.lose(s.Host, err)
			if unknown > 0 && id == "" {
				return outcome{kind: EventUnknown, err: err}
			}
			return outcome{kind: EventFailed, id: id, err: err}
		default:
			return outcome{kind: EventFailed, id: id, err: err}
		}
		if ctx.Err() != nil {
			return outcome{kind: EventUnknown, err: err}
		}
		unknown++
		seen, lookErr := r.look(ctx, s, id)
		switch {
		case lookErr != nil:
			if errors.Is(lookErr, providers.ErrUnreachable) {
				r.lose(s.Host, lookErr)
			}
			return outcome{kind: EventUnknown, err: fmt.Errorf("%w; then, looking: %w", err, lookErr)}
		case seen.done:
			return r.confirm(ctx, s, seen.id)
		case unknown > 1:
			return outcome{kind: EventUnknown, err: err}
		}
		r.emit(EventRetry, s.ID, func(e *Event) { e.Err = err })
	}
}

// confirm ends a step whose effect was seen: a container that was started has to stay up.
func (r *run) confirm(ctx context.Context, s *plan.Step, id string) outcome {
	if s.Kind != plan.KindRun && s.Kind != plan.KindStart {
		return outcome{kind: EventDone}
	}
	if s.Ends {
		return outcome{kind: EventDone, id: id}
	}
	e, err := r.engine(ctx, s.Host)
	if err == nil {
		err = r.staysUp(ctx, e, s, id)
	}
	if err != nil {
		return outcome{kind: EventFailed, id: id, err: err}
	}
	return outcome{kind: EventDone, id: id}
}
