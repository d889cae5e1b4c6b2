package plan

import "github.com/stowage-run/stowage/fleet"

// refresh brings the record in line with what is there, and changes no host.
func (m *maker) refresh() {
	m.resolveIntents()
	for i := range m.slots {
		s := &m.slots[i]
		if s.have == nil || !m.sel.slot(s) {
			continue
		}
		switch s.have.Presence {
		case Gone:
			if s.have.Record.Proven && s.work.wasJob() {
				continue // it has completed, and needs no container for that
			}
			m.drift(s, s.have.Host, "removed", "be recorded as gone")
			s.action, s.reason = Forget, "is gone from "+string(s.have.Host)
			rec := *s.have.Record
			rec.Container = ""
			m.step(s, Step{Kind: KindRecord, Host: s.have.Host, Record: Record{PutReplica: m.replicas.put(rec)}})
		case Seen:
			m.refreshSeen(s)
		}
	}
	for i := range m.in.Inventory.Leftovers {
		l := &m.in.Inventory.Leftovers[i]
		if s := m.slotOf(l.Container.Identity.Replica); s != nil {
			m.drift(s, l.Host, "left over", "")
		}
	}
	for _, n := range m.networks() {
		h := m.host(n.Host)
		h.index()
		if seen := h.networks[n.Engine]; h.known() && (seen == nil || seen.Fleet != m.plan.Fleet) {
			m.forgetObject(fleet.NetworkAddr(n.Name), n.Host, Record{DeleteNetwork: &n})
		}
	}
	for _, v := range m.volumes() {
		h := m.host(v.Host)
		h.index()
		if seen := h.volumes[v.Engine]; h.known() && (seen == nil || seen.Fleet != m.plan.Fleet) {
			m.forgetObject(fleet.VolumeAddr(v.Name), v.Host, Record{DeleteVolume: &v})
		}
	}
}

// refreshSeen records a container that the record does not know, and notes how it drifted.
func (m *maker) refreshSeen(s *slot) {
	s.adopt = !s.have.Recorded()
	first := len(m.plan.Drift)
	if !s.work.wasJob() {
		m.look(s, "")
	}
	s.fix = fixes{}
	for i := range m.plan.Drift[first:] {
		m.plan.Drift[first+i].Will = ""
	}
	if s.adopt {
		s.action, s.reason = Adopt, "found on "+string(s.have.Host)
		m.emitAdopt(s)
	}
}
