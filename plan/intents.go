package plan

import (
	"slices"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// resolveIntents finds the step that drops each intent of a run that was cut off: the one that records or removes the
// container it made; else one of its own, since the observation has told how it ended.
func (m *maker) resolveIntents() {
	var done []fleet.OpID
	var addr fleet.Addr
	flush := func() {
		if len(done) > 0 {
			m.add(Step{Kind: KindRecord, Addr: addr, Reason: "an interrupted run is accounted for", Record: Record{DeleteIntents: done}})
		}
		done = nil
	}
	for i := range m.in.Inventory.Intents {
		x := &m.in.Inventory.Intents[i]
		if !x.Known {
			continue
		}
		if c := x.Container; c != nil && !m.settled(c) {
			m.ops[c] = append(m.ops[c], x.Intent.Op)
			continue
		}
		if m.halfway(x.Intent) || m.spared(x.Intent) {
			continue
		}
		if len(done) == 0 {
			addr = x.Intent.Addr
		}
		if done = append(done, x.Intent.Op); len(done) == intentsAStep {
			flush()
		}
	}
	flush()
}

// halfway turns the intent of files that were being written into a record that says so: the intent may not go before
// the container does.
func (m *maker) halfway(in *state.Intent) bool {
	r, ok := in.Addr.Replica()
	if !ok || in.Kind != string(KindWriteFiles) {
		return false
	}
	s := m.slotOf(r)
	if s == nil || s.have == nil || s.have.Presence != Seen {
		return false
	}
	if m.sel.slot(s) {
		rec := m.adopted(s)
		s.gate = m.add(Step{
			Kind: KindRecord, Host: s.have.Host, Addr: s.addr(), Reason: "an interrupted change of files is accounted for",
			Record: Record{PutReplica: m.replicas.put(rec), DeleteIntents: []fleet.OpID{in.Op}},
		}, s.gate)
	}
	return true
}

// spared reports whether an intent is to remove a container that is there, and that this plan leaves alone: it is all that names it.
func (m *maker) spared(in *state.Intent) bool {
	if in.Kind != string(KindRemove) {
		return false
	}
	return slices.ContainsFunc(m.in.Inventory.Leftovers, func(l Leftover) bool {
		return l.Host == in.Host && l.Container.Name == in.Object && !m.removes(m.slotOf(l.Container.Identity.Replica))
	})
}

// intentsAStep is how many intents one step drops: it is one transaction, which holds state.MaxTxnOps changes.
const intentsAStep = state.MaxTxnOps / 2

// settled reports whether a container that an intent made is recorded as it is.
func (m *maker) settled(c *fleet.Container) bool {
	s := m.slotOf(c.Identity.Replica)
	return s != nil && s.container() == c && s.have.Recorded()
}
