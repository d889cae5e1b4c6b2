package plan

import (
	"cmp"
	"time"

	"github.com/stowage-run/stowage/fleet"
)

// A job's run is a slot that is filled once: its container ends, and the record says that the run has completed. From then on
// nothing is done for it before its revision changes, whatever becomes of the container or its host: a migration that has run has
// run. What "once a release" means is this, and not once an apply: the plan after an apply is empty.
//
// A run that fails is tried again in the same container, as often as retries says; see Complete for how that is carried out. One
// that has failed for good keeps its container, for its output, until the next apply runs it anew.

// Complete is how a container that is to end is waited for. It ends with status 0, or it has failed: with another status, or by
// taking longer than Timeout, and is stopped then.
//
// A run is known by when its engine started it, and a failed one is counted in the record before anything else is done about it.
// So whoever looks next, at whatever moment the one before was killed, neither counts it twice nor takes the end of a run that
// was stopped for its completion.
type Complete struct {
	Timeout time.Duration `json:"timeout,omitempty"` // of one run; 0: none
	Retries int           `json:"retries,omitempty"` // runs beyond the first, all in all
	Grace   time.Duration `json:"grace,omitempty"`   // between signal and kill of a run that takes too long

	// Hook says that it is the container of a hook, which is removed when it has ended, however it did.
	Hook fleet.HookKind `json:"hook,omitempty"`

	// What is recorded of a container that is there already.
	Failed  int       `json:"failed,omitempty"`
	Counted time.Time `json:"counted,omitzero"`
	Begun   time.Time `json:"begun,omitzero"` // its latest run, by our own clock; zero: not known
}

// isJob reports whether the workload is, as it is wanted, a job.
func (w *work) isJob() bool { return w.want != nil && w.want.Job != nil }

// wasJob reports whether the workload is a job as far as is known of it.
func (w *work) wasJob() bool {
	from := cmp.Or(w.want, w.old)
	return from != nil && from.Job != nil
}

// ofReplicas reports whether an address is that of a workload or job, or of one of its slots.
func ofReplicas(a fleet.Addr) bool {
	return a.Kind() == fleet.KindWorkload || a.Kind() == fleet.KindJob
}

// Completed returns the jobs of which every run has completed: they take up nothing, and have no place.
func Completed(in Input) map[fleet.WorkloadName]bool {
	out := map[fleet.WorkloadName]bool{}
	m := &maker{in: &in, opt: &in.Options, snap: in.Snapshot, judge: Docker(), plan: &Plan{}, deltas: map[[2]fleet.Revision]*delta{}}
	if m.opt.Judge != nil {
		m.judge = *m.opt.Judge
	}
	m.sel.replaces = in.Options.Replaces
	for i := range in.Desired.Workloads {
		w := &in.Desired.Workloads[i]
		if w.Job == nil || w.Mode == fleet.Global {
			continue
		}
		out[w.Name] = true
		of := &work{name: w.Name, addr: w.Addr(), want: w, rev: w.Spec.Digest()}
		for n := range w.Replicas {
			id := fleet.ReplicaID{Workload: w.Name, Slot: fleet.Slot(n)}
			s := &slot{id: id, work: of, have: in.Inventory.Slot(id)}
			if !m.completed(s) || m.sel.replaced(s) {
				delete(out, w.Name)
				break
			}
		}
	}
	return out
}

// completed reports whether a job's run has completed with what the job is now.
func (m *maker) completed(s *slot) bool {
	h := s.have
	if h == nil || h.Record == nil || !h.Record.Proven || h.Presence == Seen && !h.Recorded() {
		return false
	}
	return m.asNow(s, h.Record.Revision)
}

// asNow reports whether a revision is what the slot's workload is now.
func (m *maker) asNow(s *slot, r fleet.Revision) bool {
	return r == s.work.rev || r != Changing && m.delta(r, s.work) == nil
}

// decideJob decides what becomes of a slot of a job. It reports false where the slot is not wanted, and is taken away like a
// replica.
func (m *maker) decideJob(s *slot) bool {
	h, w := s.have, s.work
	done := m.completed(s)
	if s.place == nil {
		return done && w.want.Mode != fleet.Global && int(s.id.Slot) < w.want.Replicas
	}
	if done && !m.sel.replaced(s) {
		return true
	}
	switch {
	case h != nil && h.Presence == Unknown:
		s.left = true
		m.owe(h.Host, "look whether "+string(s.addr())+" has completed")
		return true
	case !m.host(s.place.Host).known():
		s.left = true
		m.owe(s.place.Host, "run "+string(s.addr()))
		return true
	}
	s.action, s.reason = Create, m.runReason(s)
	if h == nil || h.Presence != Seen {
		return true
	}
	s.adopt = !h.Recorded()
	if !m.asNow(s, h.Revision()) {
		s.delta = m.delta(h.Revision(), w)
		s.reason = s.delta.reason
	} else if !done && m.goesOn(s) {
		s.action, s.reason = Restart, "was begun by a run that was cut off"
	}
	return true
}

// runReason says why a job runs.
func (m *maker) runReason(s *slot) string {
	h := s.have
	switch {
	case m.sel.replaced(s):
		return "asked for with -replace"
	case h == nil || h.Record == nil && h.Presence != Seen:
		return cmp.Or(s.place.Reason, "has not run yet")
	case h.Presence == Gone:
		return "is gone from " + string(h.Host) + " before it completed"
	case h.Record != nil && !m.asNow(s, h.Record.Revision):
		return m.delta(h.Record.Revision, s.work).reason
	}
	if h.Presence == Seen {
		return "has failed before"
	}
	return "has not completed"
}

// goesOn reports whether the container of a run is to be waited for, or to be tried again, and not made anew: its tries are not
// at an end.
func (m *maker) goesOn(s *slot) bool {
	c, failed := s.have.Container, 0
	counted := false
	if s.have.Recorded() {
		failed = s.have.Record.Failed
		counted = failed > 0 && s.have.Record.Counted.Equal(c.Started)
	}
	switch c.Phase {
	case fleet.PhaseDead, fleet.PhaseRemoving:
		return false
	case fleet.PhaseExited:
		if c.ExitCode != 0 && !counted {
			failed++
		}
	}
	return failed <= s.work.want.Job.Retries
}

// emitJob makes the steps of a job's run: what is left of the last one goes, the new one is started, and waited for.
func (m *maker) emitJob(s *slot) {
	w := s.work
	ready := m.dependenciesReady(w)
	switch c := s.container(); {
	case s.action == Restart:
		m.emitWait(s, ready)
	case c != nil:
		ready = append(ready, m.prepare(s)...)
		m.emitStop(s, s.have.Host, c, ready...)
		vacant := m.adopted(s)
		vacant.Container, vacant.Proven = "", m.completed(s)
		gone := m.emitRemove(s, s.have.Host, c, Record{PutReplica: m.replicas.put(vacant)}, ready...)
		m.emitCompletion(s, m.emitRun(s, gone))
	default:
		m.emitCompletion(s, m.emitRun(s, ready...))
	}
	w.before = append(w.before, s.end)
}

// emitCompletion makes a Run's container one that ends, and waits for that.
func (m *maker) emitCompletion(s *slot, run int) {
	up := &m.list[run]
	up.Ends = true
	rec := *up.Record.PutReplica
	rec.Proven = true
	j := s.work.want.Job
	s.end = m.step(s, Step{
		Kind: KindComplete, Host: up.Host, Instance: up.Instance,
		Complete: &Complete{Timeout: j.Timeout, Retries: j.Retries, Grace: s.work.stopTimeout()},
		Record:   Record{PutReplica: m.replicas.put(rec)},
	}, run)
}

// emitWait waits for the container that a run which was cut off has made.
func (m *maker) emitWait(s *slot, needs []int) {
	h, j := s.have, s.work.want.Job
	rec := m.adopted(s)
	rec.Proven = true
	c := &Complete{Timeout: j.Timeout, Retries: j.Retries, Grace: s.work.stopTimeout()}
	if h.Recorded() {
		c.Failed, c.Counted, c.Begun = h.Record.Failed, h.Record.Counted, h.Record.Changed
	}
	s.end = m.step(s, Step{
		Kind: KindComplete, Host: h.Host, Container: m.named(h.Container), Complete: c,
		Record: Record{PutReplica: m.replicas.put(rec)},
	}, needs...)
}

// block leaves as they stand the slots whose workload depends on a job that is not known to have completed and that the plan does
// not run: its host does not answer, or it has no place.
func (m *maker) block() {
	var block func(w *work, why string)
	block = func(w *work, why string) {
		w.blocked = true
		var held []fleet.Slot
		for i := range w.slots {
			s := &w.slots[i]
			if s.left || !s.wanted() || s.action == "" || s.action == Adopt {
				continue
			}
			if s.have != nil && s.have.Presence == Seen {
				m.host(s.have.Host).stays = true
			}
			s.left, s.action = true, ""
			held = append(held, s.id.Slot)
		}
		if len(held) > 0 {
			m.unplaced(Unplaced{Workload: w.name, Slots: held, Why: []string{why}, Waits: true})
		}
		for _, d := range w.needed {
			block(d, why)
		}
	}
	for _, w := range m.works {
		if !w.isJob() {
			continue
		}
		for i := range w.slots {
			if s := &w.slots[i]; s.left && !m.completed(s) {
				for _, d := range w.needed {
					block(d, "it depends on "+string(w.addr)+", which is not known to have completed")
				}
				break
			}
		}
	}
}

// jobsReady returns the steps after which the jobs that w depends on have completed. That is no wish: what depends on a job does
// not start before.
func (m *maker) jobsReady(w *work) []int {
	var out []int
	for _, d := range w.needs {
		if d.isJob() {
			out = append(out, d.barrier) // made by dependenciesReady
		}
	}
	return out
}
