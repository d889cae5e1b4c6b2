package reconcile

import (
	"cmp"
	"slices"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// assume makes observations out of the record, as if all were as it was left, and returns the hosts that have
// to be looked at nevertheless: those with intents, about which the record says nothing.
func assume(snap *state.Snapshot, hosts []fleet.Host) (look []fleet.Host, assumed map[fleet.HostName]fleet.Sighting) {
	open := map[fleet.HostName]bool{}
	for _, i := range snap.Intents {
		open[i.Host] = true
	}
	assumed = map[fleet.HostName]fleet.Sighting{}
	for _, h := range hosts {
		if open[h.Name] {
			look = append(look, h)
			continue
		}
		assumed[h.Name] = fleet.Sighting{Observation: &fleet.Observation{
			Engine: fleet.EngineInfo{ID: snap.Hosts[h.Name].EngineID},
		}}
	}
	for _, r := range snap.Replicas {
		if o := assumed[r.Host].Observation; o != nil && r.Container != "" {
			o.Containers = append(o.Containers, container(snap, r))
		}
	}
	for _, v := range snap.Volumes {
		if o := assumed[v.Host].Observation; o != nil {
			o.Volumes = append(o.Volumes, fleet.ObservedVolume{
				Name: v.Engine, Driver: v.Driver, Fleet: snap.Meta.ID, Object: fleet.VolumeAddr(v.Name),
			})
		}
	}
	for _, n := range snap.Networks {
		if o := assumed[n.Host].Observation; o != nil {
			o.Networks = append(o.Networks, fleet.ObservedNetwork{
				Name: n.Engine, Driver: n.Driver, Fleet: snap.Meta.ID, Object: fleet.NetworkAddr(n.Name),
			})
		}
	}
	for _, s := range assumed {
		o := s.Observation
		o.Images = images(snap, o.Containers)
		slices.SortFunc(o.Containers, func(a, b fleet.Container) int { return cmp.Compare(a.Name, b.Name) })
	}
	return look, assumed
}

// container is a recorded replica as its engine would describe it, had nobody touched it.
func container(snap *state.Snapshot, r state.Replica) fleet.Container {
	spec := snap.Specs[r.Revision]
	i := fleet.Instance{
		Fleet: snap.Meta.ID, FleetName: snap.Meta.Name, Replica: r.Replica,
		Generation: r.Generation, Revision: r.Revision, Release: r.Release,
	}
	c := fleet.Container{
		ID: r.Container, Name: i.ContainerName(), Phase: fleet.PhaseRunning, ImageID: spec.Image.ID,
		Identity: fleet.Identity{
			Fleet: i.Fleet, Replica: i.Replica, Generation: i.Generation, Revision: i.Revision, Release: i.Release,
		},
		Created: r.Changed, Started: r.Changed,
		Limits: spec.Limits, Restart: spec.Restart, Labels: i.Labels(spec, ""),
	}
	for _, n := range spec.Networks {
		c.Networks = append(c.Networks, fleet.NetworkOn(snap.Meta.Name, n))
	}
	if len(c.Networks) == 0 {
		c.Networks = []string{cmp.Or(spec.NetworkMode, "bridge")}
	}
	slices.Sort(c.Networks)
	for _, p := range spec.Ports {
		if h := r.HostPorts[p.Name]; h != 0 {
			c.HostPorts = append(c.HostPorts, fleet.PublishedPort{Bind: p.Bind, Host: h, Container: p.Container, Protocol: p.Protocol})
		}
	}
	return c
}

// images are those that a host's containers were made from.
func images(snap *state.Snapshot, cs []fleet.Container) []fleet.ObservedImage {
	seen := map[string]bool{}
	var out []fleet.ObservedImage
	for _, c := range cs {
		i := snap.Specs[c.Identity.Revision].Image
		if i.Pin() == "" || seen[i.Ref] {
			continue
		}
		seen[i.Ref] = true
		o := fleet.ObservedImage{Ref: i.Ref, ID: i.ID}
		if i.Digest != "" {
			o.Digests = []string{i.Digest}
		}
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b fleet.ObservedImage) int { return cmp.Compare(a.Ref, b.Ref) })
	return out
}
