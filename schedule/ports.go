package schedule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// portKey is one port number of one protocol (an index into pass.protocols), on whatever address.
type portKey struct {
	protocol int16
	number   uint16
}

// protocols are those that a recorded port may be of when nobody says any more.
func protocols() []string { return []string{"tcp", "udp", "sctp"} }

// anyProtocol is how many of pass.protocols those are.
const anyProtocol = 3

func (p *pass) protocol(s string) int16 {
	s = strings.ToLower(s)
	if s == "" {
		s = "tcp"
	}
	i := slices.Index(p.protocols, s)
	if i < 0 {
		i = len(p.protocols)
		p.protocols = append(p.protocols, s)
	}
	return int16(i)
}

func (p *pass) portName(k portKey) string {
	return fmt.Sprintf("port %d/%s", k.number, p.protocols[k.protocol])
}

// address returns the address bound, with every spelling of "all of them" as the empty string.
func address(s string) string {
	switch s {
	case "0.0.0.0", "::", "[::]", "*":
		return ""
	}
	return s
}

// want is a port that every replica of a workload needs on its host.
type want struct {
	portKey        // number 0: any automatic one
	name    string // empty: not published, but in the way of others
	bind    string
}

func (p *pass) newWants(w *fleet.Workload) []want {
	var out []want
	for _, c := range w.Spec.Ports {
		k := want{name: c.Name, portKey: portKey{protocol: p.protocol(c.Protocol)}, bind: address(c.Bind)}
		switch {
		case c.Policy == fleet.PortFixed:
			k.number = c.Host
		case c.Policy == fleet.PortAuto:
		case w.Spec.NetworkMode == "host": // it listens on the host's own addresses
			k.name, k.bind, k.number = "", "", c.Container
		default:
			continue
		}
		if k.number != 0 {
			p.fixed.add(k.portKey)
		}
		out = append(out, k)
	}
	return out
}

// want returns the published port of that name. It may be called on nil: an undeclared workload.
func (w *work) want(name string) (want, bool) {
	if w == nil {
		return want{}, false
	}
	for _, k := range w.wants {
		if k.name == name {
			return k, true
		}
	}
	return want{}, false
}

func (w *work) fixedPorts() int {
	n := 0
	for _, k := range w.wants {
		if k.number != 0 {
			n++
		}
	}
	return n
}

// record notes the ports of what stands, so that none is given to another replica while its container may
// still be there. w is nil for what is not declared.
func (p *pass) record(h *host, w *work, ports map[string]uint16) {
	for name, n := range ports {
		if k, ok := w.want(name); ok {
			h.ports.recorded.add(portKey{k.protocol, n})
			continue
		}
		for i := range int16(anyProtocol) {
			h.ports.recorded.add(portKey{i, n})
		}
	}
}

// sticky returns the automatic port that a replica has on h and can keep.
func (k want) sticky(c *Current, h *host) (n uint16, ok bool) {
	if c == nil || k.number != 0 || c.Host != h.Name || c.NewPorts {
		return 0, false
	}
	n = c.HostPorts[k.name]
	return n, isAuto(n) && !h.ports.conflicts(portKey{k.protocol, n}, k.bind)
}

// blocked reports whether something keeps a replica's ports from a host.
func (p *pass) blocked(w *work, s *seat, h *host) bool {
	_, is := p.obstacle(w, s, h)
	return is
}

// obstacle returns the first port that a replica cannot have on a host; its number is 0 where no automatic one is left.
func (p *pass) obstacle(w *work, s *seat, h *host) (want, bool) {
	autos := 0
	for _, k := range w.wants {
		if k.number != 0 {
			if h.ports.conflicts(k.portKey, k.bind) {
				return k, true
			}
			continue
		}
		if _, ok := k.sticky(s.current, h); ok {
			continue
		}
		// Counted over all protocols: ten thousand ports are not worth telling them apart.
		if h.ports.auto(p.fixed.of(k.protocol), k.protocol, autos) == 0 {
			return k, true
		}
		autos++
	}
	return want{}, false
}

// obstacleReason says obstacle for people.
func (p *pass) obstacleReason(w *work, s *seat, h *host) string {
	k, _ := p.obstacle(w, s, h)
	if k.number == 0 {
		return fmt.Sprintf("%s has no automatic port left (%d-%d)", h.Name, fleet.AutoPortFirst, fleet.AutoPortLast)
	}
	return p.heldReason(k.portKey, k.bind, h)
}

func (p *pass) heldReason(k portKey, bind string, h *host) string {
	return fmt.Sprintf("%s on %s is held by %s", p.portName(k), h.Name, p.holder(k, bind, h))
}

// holder names who has a port: a stranger first, then the first by name.
func (p *pass) holder(k portKey, bind string, h *host) string {
	var ids []fleet.ReplicaID
	for i := range h.ports.listed {
		b := &h.ports.listed[i]
		switch {
		case !b.clashes(k, bind):
		case b.work != nil:
			ids = append(ids, b.work.id(b.seat))
		case b.stray != (fleet.ReplicaID{}):
			ids = append(ids, b.stray)
		default:
			return "somebody else"
		}
	}
	if h.ports.whole.has(k) {
		for _, r := range p.residentsOf(h) {
			if p.binds(r, k, bind) {
				ids = append(ids, r.id())
			}
		}
	}
	if len(ids) == 0 { // a replica whose ports are being chosen
		return "another of its ports"
	}
	slices.SortFunc(ids, fleet.ReplicaID.Compare)
	return short(ids[0])
}

// binds reports whether a resident's ports are in the way of one.
func (p *pass) binds(r resident, k portKey, bind string) bool {
	found := false
	p.eachBound(r.work, r.seat, func(b bound) { found = found || b.clashes(k, bind) })
	return found
}

// eachBound calls f for every port that a seat has taken on its host.
func (p *pass) eachBound(w *work, s *seat, f func(bound)) {
	if w.frozen {
		for name, n := range s.ports {
			if k, ok := w.want(name); ok {
				f(bound{portKey: portKey{k.protocol, n}, bind: k.bind, work: w, seat: s})
				continue
			}
			for i := range int16(anyProtocol) {
				f(bound{portKey: portKey{i, n}, work: w, seat: s})
			}
		}
		return
	}
	for _, k := range w.wants {
		if k.number == 0 {
			k.number = s.ports[k.name]
		}
		if k.number != 0 {
			f(bound{portKey: k.portKey, bind: k.bind, work: w, seat: s})
		}
	}
}

func (p *pass) release(w *work, s *seat) {
	if len(w.wants) > 0 {
		p.eachBound(w, s, s.host.ports.release)
	}
}

// portNumbers are the host ports of a replica in the order of its wants, as a key.
type portNumbers [4]uint16

// bind takes the ports of a replica on its host and returns the published ones.
func (p *pass) bind(w *work, s *seat, h *host) map[string]uint16 {
	if len(w.wants) == 0 {
		return nil
	}
	var numbers [8]uint16
	all := numbers[:0]
	for _, k := range w.wants {
		if k.number == 0 {
			k.number = p.autoPort(k, s, h)
		}
		all = append(all, k.number)
		if k.number != 0 { // else kept on an unknown host without a port left: blocked sees all others
			h.ports.take(bound{portKey: k.portKey, bind: k.bind, work: w, seat: s})
		}
	}
	return w.portMap(all)
}

// portMap names the published ones of a replica's ports. Replicas with the same numbers, of which there is one on
// nearly every host, share one map: a million maps would be most of what a placement takes up.
func (w *work) portMap(numbers []uint16) map[string]uint16 {
	var key portNumbers
	if len(numbers) > len(key) {
		return w.newPortMap(numbers)
	}
	copy(key[:], numbers)
	m, ok := w.maps[key]
	if !ok {
		if w.maps == nil {
			w.maps = map[portNumbers]map[string]uint16{}
		}
		m = w.newPortMap(numbers)
		w.maps[key] = m
	}
	return m
}

func (w *work) newPortMap(numbers []uint16) map[string]uint16 {
	var out map[string]uint16
	for i, k := range w.wants {
		if k.name == "" || numbers[i] == 0 {
			continue
		}
		if out == nil {
			out = make(map[string]uint16, len(w.wants))
		}
		out[k.name] = numbers[i]
	}
	return out
}

func (p *pass) autoPort(k want, s *seat, h *host) uint16 {
	if n, ok := k.sticky(s.current, h); ok {
		return n
	}
	if s.current != nil && s.current.Host == h.Name && s.reason == "" {
		was := portKey{k.protocol, s.current.HostPorts[k.name]}
		if h.ports.conflicts(was, k.bind) {
			s.reason = p.heldReason(was, k.bind, h)
		}
	}
	return h.ports.auto(p.fixed.of(k.protocol), k.protocol, 0)
}
