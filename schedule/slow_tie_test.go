package schedule

import (
	"slices"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// wantsOf lists the ports that a replica of w needs on its host, by name; number 0 is any automatic one. A replica in the
// host's own network needs what it listens on, without publishing it: that has no name.
func wantsOf(w *fleet.Workload) (names []string, wants []slowPort) {
	for _, p := range w.Spec.Ports {
		k := slowPort{protocol: strings.ToLower(p.Protocol), bind: strings.Trim(p.Bind, "[]")}
		if k.protocol == "" {
			k.protocol = "tcp"
		}
		if k.bind == "0.0.0.0" || k.bind == "::" || k.bind == "*" {
			k.bind = ""
		}
		name := p.Name
		switch {
		case p.Policy == fleet.PortFixed:
			k.number = p.Host
		case p.Policy == fleet.PortAuto:
		case w.Spec.NetworkMode == "host":
			name, k.number, k.bind = "", p.Container, ""
		default:
			continue
		}
		names, wants = append(names, name), append(wants, k)
	}
	return names, wants
}

func wantOf(w *fleet.Workload, name string) (slowPort, bool) {
	if w == nil {
		return slowPort{}, false
	}
	names, wants := wantsOf(w)
	i := slices.Index(names, name)
	if i < 0 {
		return slowPort{}, false
	}
	return wants[i], true
}

func fixedPorts(w *fleet.Workload) (n int) {
	_, wants := wantsOf(w)
	for _, k := range wants {
		if k.number != 0 {
			n++
		}
	}
	return n
}

// inTheWay reports whether two ports cannot both be on a host.
func inTheWay(a, b slowPort) bool {
	return a.number == b.number && (a.protocol == b.protocol || a.protocol == "" || b.protocol == "") &&
		(a.bind == b.bind || a.bind == "" || b.bind == "")
}

// taken lists the ports that strangers and placed replicas have on a host.
func (s *slow) taken(h *fleet.Host) []slowPort {
	var out []slowPort
	for _, p := range s.in.Hosts[h.Name].Taken {
		_, k := wantsOf(&fleet.Workload{Spec: fleet.Spec{Ports: []fleet.Port{
			{Policy: fleet.PortFixed, Host: p.Host, Bind: p.Bind, Protocol: p.Protocol},
		}}})
		out = append(out, k[0])
	}
	for _, t := range s.placed {
		if t.at == h.Name {
			out = append(out, t.bound...)
		}
	}
	return out
}

// portTaken reports whether a seat's ports cannot all be had on a host.
func (s *slow) portTaken(t *slowSeat, h *fleet.Host) bool {
	_, wants := wantsOf(t.work)
	for _, k := range wants {
		if k.number != 0 && slices.ContainsFunc(s.taken(h), func(p slowPort) bool { return inTheWay(p, k) }) {
			return true
		}
	}
	return false // ten thousand automatic ports are more than any fleet here asks for
}

// choosePorts gives a seat its ports on a host: fixed ones, the automatic one that it has there already, or the lowest
// that nobody has, had on record, or wants exactly.
func (s *slow) choosePorts(t *slowSeat, h *fleet.Host) (ports map[string]uint16, bound []slowPort) {
	names, wants := wantsOf(t.work)
	for i, k := range wants {
		held := append(s.taken(h), bound...)
		if k.number == 0 {
			k.number = s.autoPort(t, h, names[i], k, held)
		}
		bound = append(bound, k)
		if names[i] == "" {
			continue
		}
		if ports == nil {
			ports = map[string]uint16{}
		}
		ports[names[i]] = k.number
	}
	return ports, bound
}

func (s *slow) autoPort(t *slowSeat, h *fleet.Host, name string, k slowPort, held []slowPort) uint16 {
	if t.current != nil && t.current.Host == h.Name {
		k.number = t.current.HostPorts[name]
		inRange := k.number >= fleet.AutoPortFirst && k.number <= fleet.AutoPortLast
		if inRange && !slices.ContainsFunc(held, func(p slowPort) bool { return inTheWay(p, k) }) {
			return k.number
		}
	}
	for _, w := range s.works {
		_, wants := wantsOf(w)
		held = append(held, wants...)
	}
	for id, c := range s.in.Current {
		for n, number := range c.HostPorts {
			if c.Host == h.Name {
				p, _ := wantOf(s.work(id.Workload), n)
				held = append(held, slowPort{protocol: p.protocol, number: number})
			}
		}
	}
	for k.number = fleet.AutoPortFirst; ; k.number++ {
		anyAddress := slowPort{protocol: k.protocol, number: k.number}
		if !slices.ContainsFunc(held, func(p slowPort) bool { return inTheWay(p, anyAddress) }) {
			return k.number
		}
	}
}

// lostPort reports whether a replica that stays has another automatic port than before, since somebody else has that one.
func (s *slow) lostPort(t *slowSeat, h *fleet.Host) bool {
	names, wants := wantsOf(t.work)
	var own []slowPort
	for i, k := range wants {
		now := t.bound[i]
		had := now
		had.number = t.current.HostPorts[names[i]]
		held := append(s.taken(h), own...)
		if k.number == 0 && had != now && slices.ContainsFunc(held, func(p slowPort) bool { return inTheWay(p, had) }) {
			return true
		}
		own = append(own, now)
	}
	return false
}

// volumes lists the volumes of w that are on hosts rather than on the network, those of each replica or the others.
func (s *slow) volumes(w *fleet.Workload, perReplica bool) []fleet.VolumeName {
	var out []fleet.VolumeName
	for _, m := range w.Spec.Mounts {
		if m.Kind != fleet.MountVolume || m.Volume == "" || slices.Contains(out, m.Volume) {
			continue
		}
		var v fleet.Volume
		for _, d := range s.in.Fleet.Volumes {
			if d.Name == m.Volume {
				v = d
			}
		}
		network := slices.Contains([]string{"nfs", "nfs4", "cifs"}, v.Options["type"]) && (v.Driver == "" || v.Driver == "local")
		if !network && v.PerReplica == perReplica {
			out = append(out, m.Volume)
		}
	}
	slices.Sort(out)
	return out
}

// shared lists the volumes that are one thing for all replicas. In global mode each host has its own.
func (s *slow) shared(w *fleet.Workload) []fleet.VolumeName {
	if w.Mode == fleet.Global {
		return nil
	}
	return s.volumes(w, false)
}

func (s *slow) own(w *fleet.Workload) []fleet.VolumeName { return s.volumes(w, true) }

// home lists the hosts on which a shared volume is: where it was seen, else where replicas hold it; of several the one
// used first, and of none the one of the first user.
func (s *slow) home(v fleet.VolumeName) []fleet.HostName {
	home := slices.Clone(s.in.Volumes[VolumeKey{Volume: v}])
	if len(home) == 0 {
		for id, c := range s.in.Current {
			if w := s.work(id.Workload); w != nil && c.Holds && slices.Contains(s.shared(w), v) {
				home = append(home, c.Host)
			}
		}
	}
	for _, u := range s.used {
		if slices.Contains(s.shared(u.work), v) && (len(home) == 0 || slices.Contains(home, u.at)) {
			return []fleet.HostName{u.at}
		}
	}
	return home
}

// ties lists, for each volume that binds a seat, the hosts on which it is.
func (s *slow) ties(t *slowSeat) [][]fleet.HostName {
	own, shared := s.own(t.work), s.shared(t.work)
	if t.current != nil && t.current.Holds && t.target == nil && len(own)+len(shared) > 0 {
		return [][]fleet.HostName{{t.current.Host}}
	}
	var out [][]fleet.HostName
	for _, v := range own {
		if at := s.in.Volumes[VolumeKey{v, t.id}]; len(at) > 0 {
			out = append(out, at)
		}
	}
	for _, v := range shared {
		if at := s.home(v); len(at) > 0 {
			out = append(out, at)
		}
	}
	return out
}

// waitsForHost reports whether a seat stood on a lost host and may not be in two places.
func (s *slow) waitsForHost(t *slowSeat) bool {
	return t.current != nil && t.work.Exclusive && s.in.Hosts[t.current.Host].Lost
}

// seatGlobal makes a seat for each host that a global workload is for. Who stands keeps the slot; a new host gets the
// slot whose volumes it has, else the lowest number that is free and has no volumes elsewhere.
func (s *slow) seatGlobal(w *fleet.Workload) {
	used, has := map[fleet.Slot]bool{}, map[fleet.HostName]bool{}
	for _, id := range s.standing() {
		h := s.host(s.in.Current[id].Host)
		if id.Workload != w.Name || h == nil || has[h.Name] || s.forbids(w, h, true) != "" {
			continue
		}
		used[id.Slot], has[h.Name] = true, true
		s.seat(w, id.Slot, h)
	}
	for _, h := range s.hosts {
		if has[h.Name] || s.forbids(w, h, false) != "" {
			continue
		}
		slot := s.globalSlot(w, h, used)
		used[slot] = true
		t := s.seat(w, slot, h)
		t.changed = t.current != nil // what stood in that slot lost its host
	}
}

func (s *slow) globalSlot(w *fleet.Workload, h *fleet.Host, used map[fleet.Slot]bool) fleet.Slot {
	here, away := map[fleet.Slot]bool{}, map[fleet.Slot]bool{}
	for k, hosts := range s.in.Volumes {
		if k.Replica.Workload == w.Name && slices.Contains(s.own(w), k.Volume) {
			here[k.Replica.Slot] = here[k.Replica.Slot] || slices.Contains(hosts, h.Name)
			away[k.Replica.Slot] = away[k.Replica.Slot] || !slices.Contains(hosts, h.Name)
		}
	}
	for slot := fleet.Slot(0); slot < 100; slot++ {
		if here[slot] {
			if !used[slot] && !away[slot] {
				return slot
			}
			if !used[slot] {
				break
			}
		}
	}
	for slot := fleet.Slot(0); ; slot++ {
		if !used[slot] && !away[slot] {
			return slot
		}
	}
}
