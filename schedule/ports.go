package schedule

import (
	"fmt"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// portKey is one port number of one protocol, on whatever address.
type portKey struct {
	protocol string
	number   uint16
}

func (k portKey) String() string { return fmt.Sprintf("port %d/%s", k.number, k.protocol) }

// protocols are those that a recorded port may be of when nobody says any more.
func protocols() []string { return []string{"tcp", "udp", "sctp"} }

// want is a port that every replica of a workload needs on its host.
type want struct {
	name     string // empty: not published, but in the way of others
	protocol string
	bind     string
	number   uint16 // 0: any automatic one
}

func (k want) key() portKey { return portKey{k.protocol, k.number} }

// request is what one replica needs of a host's ports.
type request struct{ wants []want }

func newRequest(w *fleet.Workload) request {
	var r request
	for _, p := range w.Spec.Ports {
		k := want{name: p.Name, protocol: protocol(p.Protocol), bind: address(p.Bind)}
		switch {
		case p.Policy == fleet.PortFixed:
			k.number = p.Host
		case p.Policy == fleet.PortAuto:
		case w.Spec.NetworkMode == "host": // it listens on the host's own addresses
			k.name, k.bind, k.number = "", "", p.Container
		default:
			continue
		}
		r.wants = append(r.wants, k)
	}
	return r
}

func protocol(s string) string {
	if s == "" {
		return "tcp"
	}
	return strings.ToLower(s)
}

// address returns the address bound, with every spelling of "all of them" as the empty string.
func address(s string) string {
	switch s = strings.Trim(s, "[]"); s {
	case "0.0.0.0", "::", "*":
		return ""
	}
	return s
}

// bound is one address on which a port is taken.
type bound struct {
	bind string // empty: all
	by   fleet.ReplicaID
	// A port without a replica is a stranger's.
}

func (b bound) holder() string {
	if b.by == (fleet.ReplicaID{}) {
		return "somebody else"
	}
	return short(b.by)
}

// portTable is the state of one host's ports. It only fills up, which is what lets next stand still.
type portTable struct {
	taken    map[portKey][]bound
	recorded map[portKey]bool  // of anything of ours that stands there, to go or to stay
	next     map[string]uint16 // by protocol: no automatic port below it is free
}

func newPortTable(taken []fleet.PublishedPort) portTable {
	t := portTable{taken: map[portKey][]bound{}, recorded: map[portKey]bool{}, next: map[string]uint16{}}
	for _, p := range taken {
		t.take(portKey{protocol(p.Protocol), p.Host}, bound{bind: address(p.Bind)})
	}
	return t
}

func (t *portTable) take(k portKey, b bound) { t.taken[k] = append(t.taken[k], b) }

// conflict returns who has a port on an address that overlaps with bind.
func (t *portTable) conflict(k portKey, bind string) (b bound, ok bool) {
	for _, b := range t.taken[k] {
		if b.bind == bind || b.bind == "" || bind == "" {
			return b, true
		}
	}
	return bound{}, false
}

// auto returns the nth (from 0) lowest free automatic port; 0: there are not that many. A port that is
// taken on any address is not given out on another: people read numbers, not pairs.
func (t *portTable) auto(fixed map[portKey]bool, protocol string, n int) uint16 {
	first := max(t.next[protocol], fleet.AutoPortFirst)
	for i := first; i <= fleet.AutoPortLast; i++ {
		k := portKey{protocol, i}
		free := len(t.taken[k]) == 0 && !t.recorded[k] && !fixed[k]
		switch {
		case !free && i == first:
			first = i + 1
			t.next[protocol] = first
		case free && n == 0:
			return i
		case free:
			n--
		}
	}
	return 0
}

// addRecordedPorts notes every port that stands, so that none is given to another replica while its
// container may still be there.
func (p *pass) addRecordedPorts() {
	for _, r := range p.current {
		c := p.in.Current[r]
		h := p.byName[c.Host]
		if h == nil {
			continue
		}
		w := p.byWork[r.Workload]
		for name, n := range c.HostPorts {
			if k, ok := w.want(name); ok {
				h.ports.recorded[portKey{k.protocol, n}] = true
				continue
			}
			for _, proto := range protocols() {
				h.ports.recorded[portKey{proto, n}] = true
			}
		}
	}
}

// want returns the published port of that name. It may be called on nil: an undeclared workload.
func (w *work) want(name string) (want, bool) {
	if w == nil {
		return want{}, false
	}
	for _, k := range w.spec.wants {
		if k.name == name {
			return k, true
		}
	}
	return want{}, false
}

// sticky returns the automatic port that a replica has on h and can keep.
func (k want) sticky(c *Current, h *host) (n uint16, ok bool) {
	if c == nil || k.number != 0 || c.Host != h.Name {
		return 0, false
	}
	n = c.HostPorts[k.name]
	if n < fleet.AutoPortFirst || n > fleet.AutoPortLast {
		return 0, false
	}
	_, taken := h.ports.conflict(portKey{k.protocol, n}, k.bind)
	return n, !taken
}

// blocked returns what keeps a replica's ports from a host, for people; empty: nothing.
func (p *pass) blocked(w *work, s *seat, h *host) string {
	autos := 0
	for _, k := range w.spec.wants {
		if k.number != 0 {
			if b, ok := h.ports.conflict(k.key(), k.bind); ok {
				return fmt.Sprintf("%s on %s is held by %s", k.key(), h.Name, b.holder())
			}
			continue
		}
		if _, ok := k.sticky(s.current, h); ok {
			continue
		}
		// Counted over all protocols: ten thousand ports are not worth telling them apart.
		if h.ports.auto(p.fixed, k.protocol, autos) == 0 {
			return fmt.Sprintf("%s has no automatic port left (%d-%d)", h.Name, fleet.AutoPortFirst, fleet.AutoPortLast)
		}
		autos++
	}
	return ""
}

// bind takes the ports of a replica on its host and returns the published ones.
func (p *pass) bind(w *work, s *seat, h *host) map[string]uint16 {
	var out map[string]uint16
	for _, k := range w.spec.wants {
		n := k.number
		if n == 0 {
			n = p.autoPort(k, s, h)
		}
		if n == 0 {
			continue // kept on an unknown host without a port left: blocked sees all others
		}
		h.ports.take(portKey{k.protocol, n}, bound{k.bind, w.id(s)})
		if k.name == "" {
			continue
		}
		if out == nil {
			out = make(map[string]uint16, len(w.spec.wants))
		}
		out[k.name] = n
	}
	return out
}

func (p *pass) autoPort(k want, s *seat, h *host) uint16 {
	if n, ok := k.sticky(s.current, h); ok {
		return n
	}
	if s.current != nil && s.current.Host == h.Name && s.reason == "" {
		was := portKey{k.protocol, s.current.HostPorts[k.name]}
		if b, ok := h.ports.conflict(was, k.bind); ok {
			s.reason = fmt.Sprintf("%s on %s is held by %s", was, h.Name, b.holder())
		}
	}
	return h.ports.auto(p.fixed, k.protocol, 0)
}

// bindRecorded takes the recorded ports of a frozen replica, whatever the workload wants now.
func (p *pass) bindRecorded(w *work, s *seat, h *host) {
	for name, n := range s.ports {
		if k, ok := w.want(name); ok {
			h.ports.take(portKey{k.protocol, n}, bound{k.bind, w.id(s)})
			continue
		}
		for _, proto := range protocols() {
			h.ports.take(portKey{proto, n}, bound{by: w.id(s)})
		}
	}
}
