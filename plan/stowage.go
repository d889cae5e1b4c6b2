package plan

import "github.com/stowage-run/stowage/fleet"

// Stowage is where every replica stands and will stand, for a drawing: what stays is in it as well, which is in no change.
// It is made where Options.Stowage asks for it, is not saved, and points into the input.
type Stowage struct {
	Hosts  []Bay   // declared, or holding something; by name
	Berths []Berth // by replica
}

// Bay is one host of a stowage.
type Bay struct {
	Host     fleet.Host      // as desired; one that is no longer declared, as recorded
	Capacity fleet.Resources // of the whole machine. A zero field is not known
	Known    bool            // it answered
	Why      string          // why it did not
	Lost     bool            // it is supposed to be lost
	Added    bool            // it is only supposed to be
}

// Berth is one replica's place before and after. At least one of the two is not empty.
type Berth struct {
	Replica fleet.ReplicaID
	From    fleet.HostName // where it stands now; empty: nowhere
	Host    fleet.HostName // where it will stand; empty: nowhere
	Action  Action         // empty: it stays as it is
	Reason  string         // with an action
	Before  fleet.Resources
	After   fleet.Resources
	Seen    *fleet.Container // what fills it now; nil: its host did not answer, or nothing does
}

// stowage makes the plan's stowage, once everything is decided.
func (m *maker) stowage() {
	if !m.opt.Stowage {
		return
	}
	s := &Stowage{}
	holds := map[fleet.HostName]bool{}
	for i := range m.slots {
		b, ok := m.berth(&m.slots[i])
		if !ok || m.slots[i].isHook() {
			continue
		}
		s.Berths = append(s.Berths, b)
		for _, n := range []fleet.HostName{b.From, b.Host} {
			if n != "" {
				m.host(n) // also one that nothing else knows
				holds[n] = true
			}
		}
	}
	for _, n := range m.hostNames() {
		if h := m.hosts[n]; h.declared || holds[n] {
			s.Hosts = append(s.Hosts, m.bay(n, h))
		}
	}
	m.plan.Stowage = s
}

// berth is not ok for a slot that is empty now and stays so.
func (m *maker) berth(s *slot) (Berth, bool) {
	b := Berth{Replica: s.id, Action: s.action, Reason: s.reason, Seen: s.container()}
	if s.have != nil && (s.have.Presence == Seen || s.have.Presence == Unknown) {
		b.From, b.Host = s.have.Host, s.have.Host
	}
	if s.left || m.opt.Mode == RefreshOnly || s.action == Adopt {
		b.Action, b.Reason = "", "" // no host is changed
	}
	switch b.Action {
	case Create, Move:
		b.Host = s.place.Host
	case Delete, Forget:
		b.Host = ""
	}
	if w := s.work; w.old != nil {
		b.Before, b.After = w.old.Reserve, w.old.Reserve
	}
	if w := s.work; w.want != nil {
		b.After = w.want.Reserve
		if w.old == nil {
			b.Before = b.After
		}
	}
	return b, b.From != "" || b.Host != ""
}

func (m *maker) bay(n fleet.HostName, h *host) Bay {
	b := Bay{Host: h.Host, Capacity: h.Capacity, Known: h.known(), Why: h.why, Lost: h.lost}
	if h.obs != nil {
		b.Capacity = h.CapacityWith(h.obs.Engine.Capacity)
	}
	if w := m.opt.WhatIf; w != nil {
		for _, a := range w.Added {
			b.Added = b.Added || a == n
		}
	}
	return b
}
