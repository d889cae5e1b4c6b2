package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// rollouts says of each workload that changes how the change goes out.
func (m *maker) rollouts() {
	for _, w := range m.works {
		n := map[Action][]fleet.HostName{}
		restarts := 0
		var anew []fleet.HostName // moved from where nobody can take them away
		for i := range w.slots {
			s := &w.slots[i]
			if s.left || s.action == "" || s.isHook() {
				continue
			}
			if s.action == Update && disrupts(s) {
				restarts++
				continue
			}
			if s.action == Move && s.container() == nil {
				anew = append(anew, s.host())
				continue
			}
			n[s.action] = append(n[s.action], s.host())
		}
		var parts []string
		say := func(format string, a Action) {
			if hosts := n[a]; len(hosts) > 0 {
				parts = append(parts, fmt.Sprintf(format, len(hosts))+" on "+hostCounts(hosts))
			}
		}
		if w.isJob() {
			say("%d to run to completion", Create)
			say("%d to wait for until it has completed", Restart)
			n[Create], n[Restart] = nil, nil
		}
		say("%d new", Create)
		if len(anew) > 0 {
			parts = append(parts, fmt.Sprintf("%d made anew elsewhere%s on %s", len(anew), inTurn(len(anew), w.most), hostCounts(anew)))
		}
		say("%d started again", Restart)
		say("%d changed in place", Update)
		if restarts > 0 {
			parts = append(parts, fmt.Sprintf("%d restarted or reloaded for new files%s", restarts, inTurn(restarts, w.most)))
		}
		say("%d replaced"+inTurn(len(n[Replace]), w.most)+", "+order(w, len(n[Replace]))+",", Replace)
		how := ", running there before it is removed here,"
		if w.want != nil && overlapForbidden(w.want) {
			how = ", stopped before it starts there because of its volume,"
		}
		say("%d moved"+inTurn(len(n[Move]), w.most)+how, Move)
		switch {
		case len(n[Delete]) > 0 && len(parts) > 0:
			parts = append(parts, fmt.Sprintf("then %d removed", len(n[Delete])))
		default:
			say("%d removed", Delete)
		}
		if len(w.hooked) > 0 {
			parts = append(parts, w.hookText())
		}
		r := m.goesOut(w)
		if said := m.safety(w, r); said != "" {
			parts = append(parts, said)
		}
		r.Workload, r.Text = w.name, strings.Join(parts, "; ")
		if len(parts) > 0 {
			m.plan.Rollouts = append(m.plan.Rollouts, r)
		}
	}
}

// inTurn says how many of several go at once.
func inTurn(n, most int) string {
	switch {
	case n <= 1:
		return ""
	case most <= 1:
		return " one at a time"
	case most < n:
		return fmt.Sprintf(" %d at a time", most)
	}
	return " all at once"
}

// order says which of the old and the new container of n replaced slots comes first, and what forces that.
func order(w *work, n int) string {
	s := "stopped before its next generation starts"
	switch {
	case n == 0:
		return ""
	case w.want.Update.Strategy == fleet.UpdateBlueGreen && w.starts >= n:
		return "all of the next generation running before the first of the old one stops"
	case w.want.Update.Strategy == fleet.UpdateRecreate:
		return "all of the old generation stopped before the first of the next one starts, and so down meanwhile"
	case w.starts >= n:
		return "the next generation started before the old one stops"
	case w.starts > 0:
		s = fmt.Sprintf("%d stopped before their next generation starts", n-w.starts)
	}
	if w.forced != "" {
		s += ", and so down meanwhile (" + w.forced + ")"
	}
	return s
}

// host is where the slot will be, or was.
func (s *slot) host() fleet.HostName {
	if s.wanted() {
		return s.place.Host
	}
	return s.have.Host
}

// hostCounts names hosts with how many times each stands in the list: "web1 (2), web2".
func hostCounts(hosts []fleet.HostName) string {
	slices.Sort(hosts)
	var names []string
	for i := 0; i < len(hosts); {
		j := i
		for j < len(hosts) && hosts[j] == hosts[i] {
			j++
		}
		name := string(hosts[i])
		if j-i > 1 {
			name = fmt.Sprintf("%s (%d)", name, j-i)
		}
		names = append(names, name)
		i = j
	}
	return list(names, 6)
}

// exposures lists the ports that become reachable from outside their host, and those that cease to be.
func (m *maker) exposures() {
	if m.opt.Mode == RefreshOnly {
		return
	}
	for i := range m.slots {
		s := &m.slots[i]
		if s.left || s.action == "" || s.action == Update && s.delta == nil || s.action == Restart {
			continue
		}
		before, after := m.exposedBefore(s), m.exposedAfter(s)
		for _, e := range after {
			if !slices.Contains(before, e) {
				m.plan.Exposed = append(m.plan.Exposed, e)
			}
		}
		for _, e := range before {
			if !slices.Contains(after, e) {
				e.Closes = true
				m.plan.Exposed = append(m.plan.Exposed, e)
			}
		}
	}
}

func (m *maker) exposedBefore(s *slot) []Exposure {
	if s.have == nil || s.have.Presence != Seen || s.action == Adopt {
		return nil
	}
	spec := m.sent(s)
	if spec == nil {
		return nil
	}
	return exposed(s.addr(), s.have.Host, spec, s.have.HostPorts(spec))
}

func (m *maker) exposedAfter(s *slot) []Exposure {
	if !s.wanted() || s.action == Delete || s.action == Forget {
		return nil
	}
	return exposed(s.addr(), s.place.Host, &s.work.want.Spec, s.place.HostPorts)
}

// exposed lists the published ports of a spec that other machines can reach.
func exposed(a fleet.Addr, h fleet.HostName, s *fleet.Spec, ports map[string]uint16) []Exposure {
	var out []Exposure
	for _, p := range s.Ports {
		n := ports[p.Name]
		if p.Policy == fleet.PortFixed {
			n = p.Host
		}
		if p.Policy == fleet.PortInternal || n == 0 || strings.HasPrefix(p.Bind, "127.") || p.Bind == "::1" {
			continue
		}
		bind := p.Bind
		if bind == "" {
			bind = "0.0.0.0"
		}
		out = append(out, Exposure{Addr: a, Host: h, Bind: bind, Port: n, Protocol: p.Protocol})
	}
	return out
}
