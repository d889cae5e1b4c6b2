package plan

import (
	"slices"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// build makes the steps of everything that was decided. They come in the order in which a person would do
// them: record what was found; then workload by workload, what others depend on first, whatever is new,
// whatever changes, whatever goes; then what nobody needs any more.
func (m *maker) build() {
	m.link()
	m.block()
	m.resolveIntents()
	m.markUse()
	for _, w := range m.works {
		m.emit(w)
	}
	for i := len(m.works) - 1; i >= 0; i-- {
		m.emitRemovals(m.works[i])
	}
	m.emitLeftovers()
	m.cleanNetworks()
	m.cleanVolumes()
	m.freePorts()
	m.freeRoom()
	m.forgetHosts()
}

// emit makes the steps of one workload, after those of what it depends on.
func (m *maker) emit(w *work) {
	if w.emitted {
		return
	}
	w.emitted = true
	for _, d := range w.needs {
		m.emit(d)
	}
	goes := m.goesOut(w)
	m.emitFailed(w, goes)
	m.emitBefore(w, goes)
	var chain []*slot
	for i := range w.slots {
		s := &w.slots[i]
		if s.adopt && !s.left {
			m.emitAdopt(s)
		}
		switch {
		case s.left:
		case w.isJob() && (s.action == Create || s.action == Restart):
			m.emitJob(s)
		case s.action == Create:
			m.emitCreate(s)
		case s.action == Forget:
			m.emitForget(s)
		case (s.action == "" || s.action == Adopt) && m.unproven(s):
			m.emitProof(s)
		case disrupts(s):
			chain = append(chain, s)
		case s.action == Update, s.action == Restart:
			m.emitInPlace(s)
		}
	}
	m.emitChain(w, chain)
	if w.last >= 0 {
		w.ready = append(w.ready, w.last)
	} else {
		w.ready = append(w.ready, w.before...)
	}
	m.emitAfter(w, goes)
}

// disrupts reports whether the change takes a replica down for a while, or has it reload.
func disrupts(s *slot) bool {
	switch s.action {
	case Replace, Move:
		return true
	case Update:
		return s.delta != nil && (s.delta.restarts || len(s.delta.signals) > 0)
	}
	return false
}

// head is the first of a slot's steps that changes its container.
func (m *maker) head(s *slot, first int) int {
	for _, n := range s.steps {
		if n >= first {
			return n
		}
	}
	return s.steps[0]
}

// runningFirst orders those that are down before those that run.
func runningFirst(s *slot) int {
	if c := s.container(); c != nil && (c.Phase == fleet.PhaseRunning || c.Phase == fleet.PhasePaused) {
		return 1
	}
	return 0
}

// link finds which workloads depend on which, as far as they are known, in the order of their addresses.
func (m *maker) link() {
	for _, w := range m.works {
		from := w.want
		if from == nil {
			from = w.old
		}
		if from == nil {
			continue
		}
		for _, a := range from.DependsOn {
			d := m.byName[fleet.WorkloadName(a.Name())]
			if k := a.Kind(); d != nil && (k == fleet.KindWorkload || k == fleet.KindJob) && d != w && !slices.Contains(w.needs, d) {
				w.needs = append(w.needs, d)
				d.needed = append(d.needed, w)
			}
		}
	}
}

// dependenciesReady returns the steps after which everything that w depends on is up.
func (m *maker) dependenciesReady(w *work) []int {
	var out []int
	for _, d := range w.needs {
		if d.barrier < 0 {
			d.barrier = m.join(d.addr, "all of "+string(d.addr)+" is up", d.ready)
		}
		out = append(out, d.barrier)
	}
	return out
}

// dependentsGone returns the steps after which nothing that depends on w is left.
func (m *maker) dependentsGone(w *work) []int {
	var out []int
	for _, d := range w.needed {
		if d.removed < 0 {
			d.removed = m.join(d.addr, "all of "+string(d.addr)+" is gone", d.gone)
		}
		out = append(out, d.removed)
	}
	return out
}

// emitRemovals takes away what is no longer wanted: of a workload that stays, each after the new replica that makes
// up for it, or after the last disruption; of one that goes, after what depends on it.
func (m *maker) emitRemovals(w *work) {
	if w.removed >= 0 || w.gone != nil {
		return
	}
	w.gone = []int{}
	for _, d := range w.needed {
		m.emitRemovals(d)
	}
	var waits []int
	if w.want == nil {
		waits = m.dependentsGone(w)
	}
	n := 0
	for i := range w.slots {
		s := &w.slots[i]
		if s.left || s.action != Delete {
			continue
		}
		head := m.emitDelete(s)
		m.prefer(comfort, head, waits...)
		switch {
		case w.last >= 0:
			m.prefer(safety, head, w.last)
		case n < len(w.before):
			m.prefer(safety, head, w.before[n])
		}
		n++
		w.gone = append(w.gone, s.steps[len(s.steps)-1])
	}
}

// finish orders the steps and fills in what follows from them.
func (m *maker) finish() {
	final, ok := m.order()
	if !ok {
		m.diags = append(m.diags, diag.Diagnostic{
			Code:    diag.CodeInternal,
			Summary: "Steps wait for each other",
			Detail:  "The plan's steps cannot be put in an order. This is a bug in Stowage; nothing was changed.",
		})
		return
	}
	m.plan.Steps = m.list
	m.changes(final)
	m.rollouts()
	m.exposures()
	m.outputs()
	m.desired()
	m.notes()
	m.specs()
	m.skipped()
	m.planHosts()
	m.guards()
	slices.SortStableFunc(m.plan.Drift, func(a, b Drift) int {
		return compareAddr(a.Addr, b.Addr)
	})
	for _, d := range m.diags {
		if d.Severity == diag.Warning {
			m.plan.Warnings = append(m.plan.Warnings, d)
		}
	}
}
