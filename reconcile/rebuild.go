package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/state"
)

// RebuildRequest says what a state is to be rebuilt from.
type RebuildRequest struct {
	Fleet  *fleet.Fleet // as declared now: its name, its hosts, and the specs that labels are compared with
	ID     fleet.ID     // which fleet, where the hosts hold several of the name; empty: the only one
	Lock   state.Lock
	Random io.Reader // for a new seal key, where the state has none
}

// Rebuilt is what was restored, and what could not be.
type Rebuilt struct {
	Meta     state.Meta
	Release  fleet.Release // the highest on any container
	Replicas []state.Replica
	Volumes  []state.Volume
	Networks []state.Network
	Unseen   map[fleet.HostName]error // hosts that did not answer: their records are as they were

	// NoSpec are the revisions that no declared workload has: a digest cannot be turned back into a spec.
	// Their replicas are replaced by the next apply. So is what uses secrets, since fingerprints are
	// made with a key that was in the lost state.
	NoSpec []fleet.Revision
}

// Rebuild makes all records anew from the labels on the hosts, and changes nothing on them. It refuses where the
// hosts hold several fleets of the name, unless it is told which.
func (p *Pass) Rebuild(ctx context.Context, r RebuildRequest) (*Rebuilt, error) {
	snap, err := state.Load(ctx, p.Store)
	if err != nil {
		return nil, err
	}
	hosts, _ := hostsOf(snap, r.Fleet)
	strangers, errs := p.Look(ctx, "", hosts, nil)
	id, err := choose(found(strangers, r.Fleet.Name), r, errs)
	if err != nil {
		return nil, err
	}
	meta := state.Meta{ID: id, Name: r.Fleet.Name, SealKey: snap.Meta.SealKey, Created: p.Now().UTC()}
	if meta.SealKey == nil {
		meta.SealKey = make([]byte, 32)
		if _, err := io.ReadFull(r.Random, meta.SealKey); err != nil {
			return nil, fmt.Errorf("make the seal key: %w", err)
		}
	}
	as := *snap
	as.Meta = meta
	view, errs := p.Look(ctx, id, hosts, plan.ImageRefs(r.Fleet, snap))
	b := rebuilder{pass: p, wanted: r.Fleet, snap: &as, view: view, out: &Rebuilt{Meta: meta, Release: snap.Release, Unseen: errs}}
	if err := b.write(ctx, r.Lock); err != nil {
		return nil, err
	}
	return b.out, nil
}

// found counts the objects of each fleet of a name on each host.
func found(v fleet.View, name fleet.Name) map[fleet.ID]map[fleet.HostName]int {
	out := map[fleet.ID]map[fleet.HostName]int{}
	note := func(id fleet.ID, h fleet.HostName) {
		if out[id] == nil {
			out[id] = map[fleet.HostName]int{}
		}
		out[id][h]++
	}
	for h, s := range v.Hosts {
		if s.Observation == nil {
			continue
		}
		for _, c := range s.Observation.Foreign {
			if i := c.Identity; i.Fleet != "" && c.Name == fleet.ContainerName(name, i.Replica, i.Generation) {
				note(i.Fleet, h)
			}
		}
	}
	return out
}

// choose says which fleet to rebuild.
func choose(fleets map[fleet.ID]map[fleet.HostName]int, r RebuildRequest, errs map[fleet.HostName]error) (fleet.ID, error) {
	ids := slices.Sorted(maps.Keys(fleets))
	d := diag.Diagnostic{Code: diag.CodeStateLost, Affected: "Nothing was changed."}
	switch {
	case r.ID != "" && len(fleets[r.ID]) > 0:
		return r.ID, nil
	case r.ID == "" && len(ids) == 1:
		return ids[0], nil
	case len(ids) == 0 || r.ID != "":
		d.Summary = "Nothing to rebuild from"
		d.Detail = fmt.Sprintf("No container of fleet %s%s was found on the hosts", r.Fleet.Name, called(r.ID))
		if len(errs) > 0 {
			d.Detail += fmt.Sprintf("; no answer from %s", first(slices.Sorted(maps.Keys(errs)), 5))
		}
		d.Detail += "."
		d.Remedy = "stowage apply   if this fleet is new"
	default:
		d.Summary = "Several fleets of this name"
		d.Detail = "The hosts hold:"
		for _, id := range ids {
			n := 0
			for _, c := range fleets[id] {
				n += c
			}
			d.Detail += fmt.Sprintf("\n  %s: %d containers on %s", id, n, first(slices.Sorted(maps.Keys(fleets[id])), 5))
		}
		d.Remedy = fmt.Sprintf("stowage state rebuild -fleet %s", ids[0])
	}
	return "", diag.List{d}.Err()
}

// rebuilder makes the records.
type rebuilder struct {
	pass   *Pass
	wanted *fleet.Fleet
	snap   *state.Snapshot // what is left of the old record
	view   fleet.View
	out    *Rebuilt
	c      state.Changes
}

func (b *rebuilder) write(ctx context.Context, lock state.Lock) error {
	b.c.PutMeta(b.out.Meta)
	specs := b.specs()
	b.replicas(specs)
	b.volumes()
	b.networks()
	b.rest()
	for _, rev := range slices.Sorted(maps.Keys(specs)) {
		b.c.PutSpec(rev, specs[rev])
	}
	if err := state.NewWriter(b.pass.Store, lock.Epoch()).Commit(ctx, b.c); err != nil {
		return fmt.Errorf("rebuild the state: %w", err)
	}
	return nil
}

// specs returns the declared specs by revision, pinned to what the hosts have: a label that names one of these
// revisions has its spec back.
func (b *rebuilder) specs() map[fleet.Revision]fleet.Spec {
	pinned, _, _ := plan.Pin(b.wanted, b.snap, b.view, plan.Answers{}) // one that stays without a pin matches no label
	specs := maps.Clone(b.snap.Specs)
	for _, w := range pinned.Workloads {
		specs[w.Spec.Digest()] = w.Spec
		// The other way in which the same image may have been pinned.
		for _, s := range b.view.Hosts {
			if s.Observation == nil {
				continue
			}
			for _, i := range s.Observation.Images {
				if i.Ref == w.Spec.Image.Ref {
					other := w.Spec
					other.Image = fleet.Image{Ref: i.Ref, ID: i.ID}
					specs[other.Digest()] = other
				}
			}
		}
	}
	return specs
}

// replicas records what fills each slot, by the same rules by which a plan matches it, and keeps of specs what is used.
func (b *rebuilder) replicas(specs map[fleet.Revision]fleet.Spec) {
	fresh := *b.snap
	fresh.Replicas = map[fleet.ReplicaID]state.Replica{}
	fresh.Intents = nil
	used := map[fleet.Revision]bool{}
	jobs := jobsOf(b.wanted)
	inv := plan.Match(&fresh, b.view)
	for _, h := range inv.Slots {
		if h.Container == nil {
			continue
		}
		id := h.Container.Identity
		rec := state.Replica{
			Replica: h.Replica, Generation: id.Generation, Host: h.Host, Container: h.Container.ID,
			Revision: id.Revision, Release: id.Release, Changed: b.pass.Now().UTC(),
		}
		rec.Proven = jobs[h.Replica.Workload] && h.Container.Phase == fleet.PhaseExited && h.Container.ExitCode == 0
		if s, ok := specs[id.Revision]; ok {
			rec.HostPorts = h.HostPorts(&s)
		} else if !slices.Contains(b.out.NoSpec, id.Revision) {
			b.out.NoSpec = append(b.out.NoSpec, id.Revision)
		}
		used[id.Revision] = true
		b.out.Release = max(b.out.Release, id.Release)
		b.out.Replicas = append(b.out.Replicas, rec)
		b.c.PutReplica(rec)
	}
	for _, r := range slices.SortedFunc(maps.Keys(b.snap.Replicas), fleet.ReplicaID.Compare) {
		old := b.snap.Replicas[r]
		if h := inv.Slot(r); h != nil && h.Container != nil {
			continue
		}
		if _, known := b.view.Known(old.Host); known {
			b.c.DeleteReplica(r)
			continue
		}
		used[old.Revision] = true
	}
	slices.Sort(b.out.NoSpec)
	for _, rev := range slices.Sorted(maps.Keys(specs)) {
		if !used[rev] {
			delete(specs, rev)
			b.c.DeleteSpec(rev)
		}
	}
}

// volumes records the volumes with our label. Whose a per-replica one is, is read from its name.
func (b *rebuilder) volumes() {
	names := volumeNames(b.wanted, b.out.Meta.Name)
	prevent := map[fleet.VolumeName]bool{}
	for _, v := range b.wanted.Volumes {
		prevent[v.Name] = v.PreventDestroy
	}
	seen := map[state.Key]bool{}
	for h, o := range b.known() {
		for _, v := range o.Volumes {
			if v.Fleet != b.out.Meta.ID {
				continue
			}
			n := fleet.VolumeName(v.Object.Name())
			rec := state.Volume{Name: n, Host: h, Engine: v.Name, Driver: v.Driver, PreventDestroy: prevent[n]}
			if k := names[v.Name]; k.Replica != (fleet.ReplicaID{}) {
				rec.Replica = &k.Replica
			}
			seen[state.VolumeKey(h, v.Name)] = true
			b.out.Volumes = append(b.out.Volumes, rec)
			b.c.PutVolume(rec)
		}
	}
	for _, v := range b.snap.Volumes {
		if _, known := b.view.Known(v.Host); known && !seen[state.VolumeKey(v.Host, v.Engine)] {
			b.c.DeleteVolume(v.Host, v.Engine)
		}
	}
}

// known goes through the hosts that answered, in the order of their names.
func (b *rebuilder) known() iter.Seq2[fleet.HostName, *fleet.Observation] {
	return func(yield func(fleet.HostName, *fleet.Observation) bool) {
		for _, h := range slices.Sorted(maps.Keys(b.view.Hosts)) {
			if o, ok := b.view.Known(h); ok && !yield(h, o) {
				return
			}
		}
	}
}

func (b *rebuilder) networks() {
	seen := map[state.Key]bool{}
	for h, o := range b.known() {
		for _, n := range o.Networks {
			if n.Fleet != b.out.Meta.ID {
				continue
			}
			rec := state.Network{Name: fleet.NetworkName(n.Object.Name()), Host: h, Engine: n.Name, Driver: n.Driver}
			seen[state.NetworkKey(h, n.Name)] = true
			b.out.Networks = append(b.out.Networks, rec)
			b.c.PutNetwork(rec)
		}
	}
	for _, n := range b.snap.Networks {
		if _, known := b.view.Known(n.Host); known && !seen[state.NetworkKey(n.Host, n.Engine)] {
			b.c.DeleteNetwork(n.Host, n.Engine)
		}
	}
}

// rest records how the hosts are reached, the number of the latest release, and drops the intents that a look
// has answered.
func (b *rebuilder) rest() {
	holds := map[fleet.HostName]bool{}
	for _, r := range b.out.Replicas {
		holds[r.Host] = true
	}
	for _, v := range b.out.Volumes {
		holds[v.Host] = true
	}
	for _, n := range b.out.Networks {
		holds[n.Host] = true
	}
	hosts, _ := hostsOf(b.snap, b.wanted)
	for _, h := range hosts {
		if o, known := b.view.Known(h.Name); known && holds[h.Name] {
			b.c.PutHost(state.Host{Host: h, EngineID: o.Engine.ID})
		}
	}
	for _, i := range b.snap.Intents {
		if _, known := b.view.Known(i.Host); known {
			b.c.DeleteIntent(i.Op)
		}
	}
	if n := cmp.Or(b.out.Release, 1); n > b.snap.Release {
		b.c.PutRelease(state.Release{
			Number: n, Made: b.pass.Now().UTC(), Who: b.pass.Who, Why: "state rebuild", Fleet: *b.wanted,
		})
	}
}

// called is a fleet's id in parentheses, if there is one.
func called(id fleet.ID) string {
	if id == "" {
		return ""
	}
	return " (" + string(id) + ")"
}
