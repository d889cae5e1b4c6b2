package plan

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// slot is one numbered place of a workload: what fills it, where it is wanted, and what becomes of it.
type slot struct {
	id      fleet.ReplicaID
	address fleet.Addr // made when first asked for
	work    *work
	have    *Holding      // nil: nothing is known of it
	place   *fleet.Placed // nil: it is not wanted

	action Action // empty: nothing
	reason string
	delta  *delta // between the spec it runs and the one it should; nil: none
	fix    fixes
	beside bool // its new container starts before the old one stops
	adopt  bool // what fills it has to be recorded first
	left   bool // it is not ours to change in this plan: not selected, or its host is silent
	waits  bool // it is left for a promotion

	gate  int // the step that records it; -1: none
	end   int // the step after which it is up; -1: it is, or will not be
	steps []int
}

// fixes is what brings a container back to what was sent.
type fixes struct {
	unpause, start, rename, update bool
	connect, disconnect            []string

	replace bool // nothing else helps
}

func (f *fixes) any() bool {
	return f.unpause || f.start || f.rename || f.update || len(f.connect)+len(f.disconnect) > 0
}

// wanted reports whether the slot should be filled.
func (s *slot) wanted() bool { return s.place != nil && s.work.want != nil }

func (s *slot) container() *fleet.Container {
	if s.have == nil {
		return nil
	}
	return s.have.Container
}

// generation is that of the slot's next container. A run that was cut off before its container was seen is repeated under the same
// name: should its request arrive after all, the engine gives the name to one of the two, and the other is that one. Under another
// name the late one would be left over.
func (s *slot) generation() fleet.Generation {
	if s.have == nil {
		return 1
	}
	if t := s.have.Tried; t != nil && t.Host == s.place.Host && t.Revision == s.work.rev {
		return t.Generation
	}
	return s.have.Last + 1
}

// addr is the slot's address, made once: all its steps share it.
func (s *slot) addr() fleet.Addr {
	if s.address == "" {
		s.address = s.id.AddrOf(s.work.addr)
	}
	return s.address
}

// decideAll decides what becomes of every slot.
func (m *maker) decideAll() {
	for i := range m.slots {
		s := &m.slots[i]
		why, displaced := m.displaced[s.id]
		switch {
		case s.isHook():
			m.decideHook(s)
		case !m.sel.slot(s), m.waits[s.id] && !displaced, m.frozen(s.id.Workload):
			s.left = true
		default:
			m.decide(s)
		}
		if displaced && s.action == Delete {
			s.reason = why
		}
	}
}

func (m *maker) decide(s *slot) {
	switch {
	case s.work.isJob() && m.decideJob(s):
	case s.have == nil || s.have.Presence == Vacant:
		m.decideVacant(s, m.newReason(s))
	case s.have.Presence == Gone:
		will := "be made again"
		if !s.wanted() {
			will = "be forgotten"
		}
		m.drift(s, s.have.Host, "removed", will)
		m.decideVacant(s, "is gone from "+string(s.have.Host))
	case s.have.Presence == Unknown:
		m.decideUnknown(s)
	default:
		m.decideSeen(s)
	}
}

// decideVacant fills an empty slot, or forgets it.
func (m *maker) decideVacant(s *slot, reason string) {
	switch {
	case !s.wanted() && s.have != nil && s.have.Record != nil:
		s.action, s.reason = Forget, m.unwantedReason(s)
	case !s.wanted():
	case !m.host(s.place.Host).known():
		s.left = true
		m.owe(s.place.Host, "make "+string(s.addr()))
	default:
		s.action, s.reason = Create, reason
	}
}

// decideUnknown leaves what a silent host holds as it is. Only where the host is no longer declared does its
// replica go elsewhere: taking it out of the file was somebody's intent. One that is exclusive waits even then, until its host is
// taken out of the record too: nobody knows that it has ended.
func (m *maker) decideUnknown(s *slot) {
	h := m.host(s.have.Host)
	s.left = true
	switch {
	case !s.wanted():
		m.owe(s.have.Host, "remove "+string(s.addr()))
	case (h.lost || !h.declared && !s.work.want.Exclusive) && s.place.Host != s.have.Host && m.host(s.place.Host).known():
		s.left = false
		s.action, s.reason = Move, string(fleet.HostAddr(s.have.Host))+" is not in the configuration and does not answer"
		if h.lost {
			s.reason = s.place.Reason
		}
		if r := s.have.Revision(); r != s.work.rev && r != Changing {
			s.delta = m.delta(s.have.Revision(), s.work)
		}
		m.owe(s.have.Host, "remove "+string(s.addr()))
	case s.place.Host != s.have.Host:
		m.owe(s.have.Host, "move "+string(s.addr())+" to "+string(s.place.Host))
	case s.have.Record == nil:
		m.owe(s.have.Host, "look whether "+string(s.addr())+" was made")
	case s.have.Revision() != s.work.rev && s.have.Revision() != Changing:
		if d := m.delta(s.have.Revision(), s.work); d != nil {
			m.owe(s.have.Host, "change "+string(s.addr())+": "+d.reason)
		}
	}
}

// decideSeen compares what runs with what is wanted.
func (m *maker) decideSeen(s *slot) {
	h, c := s.have, s.have.Container
	s.adopt = !h.Recorded()
	if n := recordedOn(h); n != "" && n != h.Host && !m.host(n).known() {
		m.owe(n, "remove "+string(s.addr())) // its successor is here already
	}
	if !s.wanted() {
		s.action, s.reason = Delete, m.unwantedReason(s)
		if !s.work.wasJob() {
			m.look(s, "be removed")
		}
		return
	}
	if s.place.Host != h.Host && !m.host(s.place.Host).known() {
		m.owe(s.place.Host, "take "+string(s.addr())+" from "+string(h.Host))
		s.left, s.adopt = true, false
		return
	}
	if h.Revision() != s.work.rev && h.Revision() != Changing {
		s.delta = m.delta(h.Revision(), s.work)
	}
	switch {
	case s.place.Host != h.Host:
		s.action, s.reason = Move, s.place.Reason
	case h.Halfway:
		s.action, s.reason = Replace, "was being changed when a run was cut off"
	case m.sel.replaced(s):
		s.action, s.reason = Replace, cmp.Or(m.opt.ReplaceWhy, "asked for with -replace")
	case s.delta != nil && s.delta.replaces:
		s.action, s.reason = Replace, s.delta.reason
	case otherPorts(h.HostPorts(&s.work.want.Spec), s.place.HostPorts):
		s.action, s.reason = Replace, "host port changed"
	case c.Phase == fleet.PhaseDead || c.Phase == fleet.PhaseRemoving:
		s.action, s.reason = Replace, "is "+string(c.Phase)
	}
	if s.action != "" {
		m.look(s, map[Action]string{Move: "be moved", Replace: "be replaced"}[s.action])
		return
	}
	m.look(s, "")
	switch {
	case s.fix.replace:
		s.action, s.reason = Replace, "was changed by hand"
	case s.delta != nil:
		s.action, s.reason = Update, s.delta.reason
	case s.fix.start || s.fix.unpause:
		s.action, s.reason = Restart, restartReason(s)
	case s.fix.any():
		s.action, s.reason = Update, "was changed by hand"
	case s.adopt:
		s.action, s.reason = Adopt, "found on "+string(h.Host)
	}
}

func restartReason(s *slot) string {
	switch {
	case s.fix.unpause:
		return "was paused by hand"
	case s.container().Phase == fleet.PhaseCreated:
		return "was never started"
	}
	return "was stopped"
}

// otherPorts reports whether a port that both name has another number.
func otherPorts(have, want map[string]uint16) bool {
	for n, p := range want {
		if q, ok := have[n]; ok && p != 0 && q != p {
			return true
		}
	}
	return false
}

// delta compares a recorded revision with what a workload wants now; nil where nothing differs that we can know of.
func (m *maker) delta(old fleet.Revision, w *work) *delta {
	k := [2]fleet.Revision{old, w.rev}
	if d, ok := m.deltas[k]; ok {
		return d
	}
	d := m.compare(old, w)
	m.deltas[k] = d
	return d
}

func (m *maker) compare(old fleet.Revision, w *work) *delta {
	spec, ok := m.snap.Specs[old]
	if !ok && !knownRule(old) {
		m.warn(diag.Diagnostic{
			Code:    diag.CodeStateNewer,
			Summary: "A replica was made by another version of Stowage",
			Detail: fmt.Sprintf("Replicas of %s have revision %q, whose rule this version does not know, and what they were made from is not recorded. They are left as they are.",
				w.addr, old.Short()),
			Remedy: fmt.Sprintf("stowage apply -replace=%s   if they should be made anew", w.addr),
		})
		return nil
	}
	var d delta
	if !ok {
		d = m.judge.compare(nil, &w.want.Spec)
	} else if d = m.judge.compare(&spec, &w.want.Spec); len(d.diff) == 0 {
		return nil // another rule's digest, or another spelling, of the same
	}
	if w.old != nil {
		for _, x := range diffAttributes(WorkloadAttributes(*w.old), WorkloadAttributes(*w.want)) {
			d.diff = append(d.diff, x.public(false))
		}
	}
	return &d
}

// newReason says why a slot is to be filled.
func (m *maker) newReason(s *slot) string {
	switch w := s.work; {
	case !s.wanted():
		return ""
	case w.old != nil && w.want.Mode != fleet.Global && w.old.Replicas < w.want.Replicas && int(s.id.Slot) >= w.old.Replicas:
		return fmt.Sprintf("replicas raised from %d to %d", w.old.Replicas, w.want.Replicas)
	case s.place.Reason != "":
		return s.place.Reason
	case s.have != nil && s.have.Record != nil:
		return "is not there"
	}
	return ""
}

// unwantedReason says why a slot is not wanted any more.
func (m *maker) unwantedReason(s *slot) string {
	switch w := s.work; {
	case m.opt.Mode == Destroy:
		return "asked for with destroy"
	case w.want == nil:
		return "not in the configuration"
	case w.want.Mode == fleet.Global:
		return string(fleet.HostAddr(s.have.Host)) + " is not eligible"
	case w.old != nil && w.old.Replicas > w.want.Replicas:
		return fmt.Sprintf("replicas lowered from %d to %d", w.old.Replicas, w.want.Replicas)
	}
	return "more than the replicas wanted"
}

// owe notes what a silent host will get once it answers.
func (m *maker) owe(n fleet.HostName, what string) {
	h := m.host(n)
	h.owed = append(h.owed, what)
}

// warn adds a warning, once.
func (m *maker) warn(d diag.Diagnostic) {
	d.Severity = diag.Warning
	if !slices.Contains(m.diags, d) {
		m.diags = append(m.diags, d)
	}
}
