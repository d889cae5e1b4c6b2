package schedule

import (
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// tied returns the volumes that bind a workload's replicas to hosts: those that are one thing for all
// replicas, and those that each replica has for itself. In global mode a volume that is not
// per_replica is one on each host and ties nothing.
func (p *pass) tied(w *work) (shared, own []fleet.VolumeName) {
	for _, m := range w.Spec.Mounts {
		if m.Kind != fleet.MountVolume || m.Volume == "" {
			continue
		}
		v := p.volumes[m.Volume]
		switch {
		case onNetwork(v):
		case v.PerReplica && !slices.Contains(own, m.Volume):
			own = append(own, m.Volume)
		case !v.PerReplica && !w.global && !slices.Contains(shared, m.Volume):
			shared = append(shared, m.Volume)
		}
	}
	slices.Sort(shared)
	slices.Sort(own)
	return shared, own
}

// onNetwork reports whether a volume's data surely is the same from every host. A driver that is not
// known may keep data locally, and losing sight of data is worse than a replica that stays.
func onNetwork(v fleet.Volume) bool {
	switch v.Options["type"] {
	case "nfs", "nfs4", "cifs":
		return v.Driver == "" || v.Driver == "local"
	}
	return false
}

// addHomes notes where the volumes that are one thing are already.
func (p *pass) addHomes() {
	for k, hosts := range p.in.Volumes {
		if k.Replica == (fleet.ReplicaID{}) && len(hosts) > 0 {
			p.homes[k.Volume] = slices.Sorted(slices.Values(hosts))
		}
	}
	held := map[fleet.VolumeName][]fleet.HostName{}
	for _, w := range p.works {
		for _, v := range w.shared {
			for _, n := range w.now {
				if n.Holds && p.homes[v] == nil && !slices.Contains(held[v], n.Host) {
					held[v] = append(held[v], n.Host)
				}
			}
		}
	}
	for v, hosts := range held {
		slices.Sort(hosts)
		p.homes[v] = hosts
	}
}

// settle makes a host the home of the volumes that are one thing: the first use decides, and of
// several copies the one used first.
func (p *pass) settle(w *work, h *host) {
	for _, v := range w.shared {
		if home := p.homes[v]; len(home) == 0 || len(home) > 1 && slices.Contains(home, h.Name) {
			p.noteHome(v)
			p.homes[v] = []fleet.HostName{h.Name}
		}
	}
}

// tie is a volume, or what a replica holds, that is on certain hosts only.
type tie struct {
	volume fleet.VolumeName
	hosts  []fleet.HostName
}

// ties returns what binds a seat now; none: it may stand on any host.
func (p *pass) ties(w *work, s *seat) []tie {
	if w.shared == nil && w.own == nil {
		return nil
	}
	if s.current != nil && s.current.Holds && !w.global {
		v := slices.Concat(w.own, w.shared)[0]
		return []tie{{v, []fleet.HostName{s.current.Host}}}
	}
	var out []tie
	for _, v := range w.own {
		if at := p.in.Volumes[VolumeKey{v, w.id(s)}]; len(at) > 0 {
			out = append(out, tie{v, slices.Sorted(slices.Values(at))})
		}
	}
	for _, v := range w.shared {
		if at := p.homes[v]; len(at) > 0 {
			out = append(out, tie{v, at})
		}
	}
	return out
}

// elsewhere returns the first tie that keeps a seat from a host.
func elsewhere(ties []tie, h *host) (tie, bool) {
	for _, t := range ties {
		if !slices.Contains(t.hosts, h.Name) {
			return t, true
		}
	}
	return tie{}, false
}
