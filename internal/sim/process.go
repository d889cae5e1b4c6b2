package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
	"github.com/stowage-run/stowage/state/memory"
)

// process is one run of the command, from its start to its end or its death.
type process struct {
	store  *memory.Store
	pass   *reconcile.Pass
	cancel context.CancelFunc
	dead   bool
	until  int  // the change or record, counted from its start, at which it dies; 0: it does not
	after  bool // it dies after that took effect
	count  int
}

// start begins a process, which may be about to die.
func (s *Sim) start(ctx context.Context) (*process, context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := &process{store: s.store}
	ctx, p.cancel = context.WithCancel(ctx)
	s.processes++
	if key := fmt.Sprintf("process %d", s.processes); s.faulty && s.kills > 0 && s.chance.part(key) < 0.7 {
		p.until, p.after = 1+s.chance.upTo([]int{12, 40, 120}[s.chance.upTo(3, key+" how long")], key+" dies"), s.chance.part(key+" after") < 0.5
	}
	s.process = p
	p.store.BeforeCommit = func(state.Txn) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !p.dead && s.mayDie(p, false) {
			s.die(p, "before a record")
		}
		return nil
	}
	p.store.AfterCommit = func(t state.Txn) error { return s.committed(p, t) }
	p.pass = &reconcile.Pass{
		Store: p.store, Hosts: s.world, Registry: s.world.Registry(), Now: time.Now, Who: "sim@here", Version: "sim",
		NewID:  func() string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", s.ids.Add(1)) },
		Chance: func() float64 { return s.chance.part(fmt.Sprint("pause at ", time.Since(s.began))) },
		Observe: func(e apply.Event) {
			if e.Kind == apply.EventStarted {
				pass(1) // so that who starts now comes to where it waits before the next one starts
			}
		},
	}
	return p, ctx
}

// mayDie counts a change or a record, and reports whether it is the last.
func (s *Sim) mayDie(p *process, after bool) bool {
	if !after {
		p.count++
	}
	return p.until > 0 && p.count == p.until && p.after == after
}

// die is kill -9.
func (s *Sim) die(p *process, when string) {
	s.note("killed %s", when)
	s.kills--
	p.dead = true
	for _, in := range s.watch.ledger.intents {
		if in.Kind == string(plan.KindRun) {
			s.watch.cut[in.Object] = true
		}
	}
	s.store = p.store.Crash()
	p.cancel()
}

// committed follows what was recorded.
func (s *Sim) committed(p *process, t state.Txn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	line, turned, err := s.watch.ledger.take(t)
	if err != nil {
		s.watch.bad("a record that cannot be read: %v", err)
	}
	s.note("recorded %s", line)
	for _, r := range turned {
		s.watch.turned(r)
	}
	s.watch.account(s.watch.ours())
	if !p.dead && s.mayDie(p, true) {
		s.die(p, "after a record")
	}
	return nil
}

// turned notes which revisions have failed.
func (w *watch) turned(r state.Rollout) {
	for b := range w.banned {
		if b.workload == r.Workload && (b.revision != r.To || r.Status == state.RolloutRunning || r.Status == state.RolloutDone) {
			delete(w.banned, b)
		}
	}
	switch r.Status {
	case state.RolloutBack, state.RolloutTaken, state.RolloutHalted:
		if _, ok := w.banned[ban{r.Workload, r.To}]; !ok {
			w.failed[r.Workload] = w.declared(r.Workload)
			w.banned[ban{r.Workload, r.To}] = w.pass
		}
	}
}

// declared is the revision of a workload as it is declared now, before its image is pinned.
func (w *watch) declared(name fleet.WorkloadName) fleet.Revision {
	for i := range w.fleet.Workloads {
		if w.fleet.Workloads[i].Name == name {
			return w.fleet.Workloads[i].Spec.Digest()
		}
	}
	return ""
}

// outcome is how a process ended.
type outcome struct {
	dead bool
	err  error
	last *plan.Plan    // that was made
	rep  *apply.Report // of the last apply
}

// once is one run of the command: plan, apply and, where that fails, the way back.
func (s *Sim) once(ctx context.Context, f *fleet.Fleet, silentToo bool, turn func(*state.Snapshot) *state.Rollout) (o outcome) {
	p, ctx := s.start(ctx)
	defer p.cancel()
	defer func() { o.dead = p.dead }()
	lock, err := p.store.Lock(ctx, state.Holder{ID: p.pass.NewID(), Who: "sim"}, 0)
	if err != nil {
		return outcome{err: err}
	}
	defer lock.Unlock()
	if _, err := state.EnsureMeta(ctx, p.store, "shop", s.began, p.pass.NewID, zeros{}); err != nil {
		return outcome{err: err}
	}
	if turn != nil {
		if err := steer(ctx, p.store, lock, turn); err != nil {
			return outcome{err: err}
		}
	}
	s.watch.fleet = f
	w, ao := reconcile.Wanted{Fleet: f, Config: "sim"}, reconcile.ApplyOptions{Trigger: "sim", AllowUnreachable: silentToo}
	if o.last, o.err = s.planned(func() (*plan.Plan, error) { return p.pass.Plan(ctx, w, reconcile.Options{}) }); o.err != nil {
		return o
	}
	if o.rep, o.err = p.pass.Apply(ctx, o.last, nil, lock, ao); o.err != nil {
		return o
	}
	back, err := s.planned(func() (*plan.Plan, error) { return p.pass.WayBack(ctx, w, o.rep) })
	if back == nil || err != nil {
		o.err = err
		return o
	}
	o.last = back
	o.rep, o.err = p.pass.Apply(ctx, back, nil, lock, ao)
	return o
}

// planned makes a plan, and notes it.
func (s *Sim) planned(do func() (*plan.Plan, error)) (*plan.Plan, error) {
	s.mu.Lock()
	s.watch.pass++
	s.watch.forget()
	s.mu.Unlock()
	p, err := do()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err != nil:
		s.note("plan: %v", err)
	case p != nil:
		s.note("plan of %d steps", len(p.Steps))
		for _, silent := range p.Skipped {
			s.note("  %s is silent", silent.Host)
			s.watch.silent(silent.Host)
		}
		for _, c := range p.Changes {
			s.note("  %s %s (%s) on %s", c.Action, c.Addr, c.Reason, c.Host)
		}
		for _, step := range p.Steps {
			s.note("  %d %s %s on %s needs %v", step.ID, step.Kind, step.Addr, step.Host, step.Needs)
		}
	}
	return p, err
}

// steer changes a rollout's record, as a person does.
func steer(ctx context.Context, store state.Store, lock state.Lock, turn func(*state.Snapshot) *state.Rollout) error {
	snap, err := state.Load(ctx, store)
	if err != nil {
		return err
	}
	r := turn(snap)
	if r == nil {
		return nil
	}
	r.Changed = time.Now().UTC()
	var c state.Changes
	c.PutRollout(*r)
	txns, err := c.Txn(lock.Epoch())
	if err != nil {
		return err
	}
	for _, t := range txns {
		if _, err := store.Commit(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// zeros is a source of no randomness.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }
