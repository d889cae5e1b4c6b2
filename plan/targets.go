package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// selection is what a plan is allowed to touch.
type selection struct {
	targets  map[fleet.Addr]bool // as given, with what they need; nil: everything
	excludes map[fleet.Addr]bool // as given, with what needs them
	replaces []fleet.Addr
}

// everything reports whether nothing is left out.
func (s *selection) everything() bool { return s.targets == nil && len(s.excludes) == 0 }

// object reports whether a network, volume or workload may be touched.
func (s *selection) object(a fleet.Addr) bool {
	return (s.targets == nil || s.targets[a]) && !s.excludes[a]
}

// slot reports whether a replica may be touched: by its own address, its workload's, or that of a host that it is on or
// goes to.
func (s *selection) slot(x *slot) bool {
	if s.everything() {
		return true
	}
	named := func(set map[fleet.Addr]bool) bool {
		if set[x.work.addr] || set[x.addr()] {
			return true
		}
		return x.have != nil && set[fleet.HostAddr(x.have.Host)] || x.place != nil && set[fleet.HostAddr(x.place.Host)]
	}
	return (s.targets == nil || named(s.targets)) && !named(s.excludes)
}

// replaced reports whether -replace names a replica or its workload.
func (s *selection) replaced(x *slot) bool {
	if len(s.replaces) == 0 {
		return false
	}
	a := x.addr()
	return slices.ContainsFunc(s.replaces, func(r fleet.Addr) bool { return r.Covers(a) })
}

// Frozen returns the workloads that a plan with these targets and excludes leaves exactly as they are: the scheduler
// must not place or move their replicas. Addresses that name nothing are diagnostics.
func Frozen(desired *fleet.Fleet, s *state.Snapshot, v Inventory, o Options) (map[fleet.WorkloadName]bool, diag.List) {
	k := newCatalog(desired, s, &v, o.Mode)
	sel, diags := k.selection(o)
	frozen := map[fleet.WorkloadName]bool{}
	byHost := func(set map[fleet.Addr]bool) bool {
		for a := range set {
			if a.Kind() == fleet.KindHost {
				return true
			}
		}
		return false
	}
	if sel.targets == nil && len(sel.excludes) == 0 || byHost(sel.targets) {
		return frozen, diags
	}
	for n := range k.workloads {
		a := k.addr(n)
		if sel.targets != nil && !sel.targets[a] && !k.anySlot(sel.targets, n) || sel.excludes[a] {
			frozen[n] = true
		}
	}
	return frozen, diags
}

// selected works out what the plan may touch.
func (m *maker) selected() {
	k := newCatalog(m.in.Desired, m.snap, &m.in.Inventory, m.opt.Mode)
	for _, p := range m.in.Assignment.Placed {
		k.addSlot(p.Replica)
	}
	var diags diag.List
	m.sel, diags = k.selection(*m.opt)
	m.diags = append(m.diags, diags...)
}

// catalog is every address that exists, and who needs whom.
type catalog struct {
	mode      Mode
	known     map[fleet.Addr]bool
	workloads map[fleet.WorkloadName]*fleet.Workload // declared, else recorded
	slots     map[fleet.WorkloadName]int             // the highest slot
	inventory *Inventory
}

func newCatalog(desired *fleet.Fleet, s *state.Snapshot, v *Inventory, mode Mode) *catalog {
	k := &catalog{
		mode: mode, known: map[fleet.Addr]bool{}, inventory: v,
		workloads: map[fleet.WorkloadName]*fleet.Workload{}, slots: map[fleet.WorkloadName]int{},
	}
	for n, w := range s.Workloads {
		k.workloads[n] = &w
	}
	for i := range desired.Workloads {
		w := &desired.Workloads[i]
		k.workloads[w.Name] = w
		k.slots[w.Name] = w.Replicas - 1
	}
	for i := range v.Slots {
		k.addSlot(v.Slots[i].Replica)
	}
	for n := range k.workloads {
		k.known[k.addr(n)] = true
	}
	for _, h := range desired.Hosts {
		k.known[fleet.HostAddr(h.Name)] = true
	}
	for n := range s.Hosts {
		k.known[fleet.HostAddr(n)] = true
	}
	for _, o := range desired.Networks {
		k.known[fleet.NetworkAddr(o.Name)] = true
	}
	for _, o := range s.Networks {
		k.known[fleet.NetworkAddr(o.Name)] = true
	}
	for _, o := range desired.Volumes {
		k.known[fleet.VolumeAddr(o.Name)] = true
	}
	for _, o := range s.Volumes {
		k.known[fleet.VolumeAddr(o.Name)] = true
	}
	return k
}

// addr is the address of a workload or job.
func (k *catalog) addr(n fleet.WorkloadName) fleet.Addr {
	if w := k.workloads[n]; w != nil {
		return w.Addr()
	}
	return fleet.WorkloadAddr(n)
}

func (k *catalog) addSlot(r fleet.ReplicaID) {
	if _, ok := k.workloads[r.Workload]; !ok {
		k.workloads[r.Workload] = nil
		k.known[fleet.WorkloadAddr(r.Workload)] = true
	}
	if _, hook := r.Slot.Hook(); hook {
		return
	}
	if n, ok := k.slots[r.Workload]; !ok || int(r.Slot) > n {
		k.slots[r.Workload] = int(r.Slot)
	}
}

func (k *catalog) anySlot(set map[fleet.Addr]bool, n fleet.WorkloadName) bool {
	for a := range set {
		if r, ok := a.Replica(); ok && r.Workload == n {
			return true
		}
	}
	return false
}

// selection resolves the addresses.
func (k *catalog) selection(o Options) (selection, diag.List) {
	var diags diag.List
	sel := selection{replaces: o.Replaces, excludes: map[fleet.Addr]bool{}}
	resolve := func(flag string, given []fleet.Addr) map[fleet.Addr]bool {
		set := map[fleet.Addr]bool{}
		for _, a := range given {
			found := k.find(a)
			if len(found) == 0 {
				diags = append(diags, k.nothing(flag, a))
			}
			for _, f := range found {
				set[f] = true
			}
		}
		return set
	}
	if len(o.Targets) > 0 {
		sel.targets = resolve("-target", o.Targets)
		k.spread(sel.targets, k.mode == Destroy)
	}
	if len(o.Excludes) > 0 {
		sel.excludes = resolve("-exclude", o.Excludes)
		k.spread(sel.excludes, k.mode != Destroy)
	}
	resolve("-replace", o.Replaces)
	return sel, diags
}

// find returns the objects that an address covers: itself, its instances, or one replica.
func (k *catalog) find(a fleet.Addr) []fleet.Addr {
	var out []fleet.Addr
	for b := range k.known {
		if a.Covers(b) {
			out = append(out, b)
		}
	}
	if r, ok := a.Replica(); ok && len(out) == 0 {
		if n, known := k.slots[r.Workload]; known && int(r.Slot) <= n {
			return []fleet.Addr{a}
		}
	}
	return out
}

// spread adds what the set's workloads need (networks, volumes, other workloads) or, upward, what needs the set.
func (k *catalog) spread(set map[fleet.Addr]bool, upward bool) {
	for grown := true; grown; {
		grown = false
		for _, n := range slices.Sorted(maps.Keys(k.workloads)) {
			w := k.workloads[n]
			if w == nil {
				continue
			}
			a := k.addr(n)
			if upward {
				if !set[a] && slices.ContainsFunc(needs(w), func(b fleet.Addr) bool { return set[b] }) {
					set[a], grown = true, true
				}
				continue
			}
			if !set[a] && !k.anySlot(set, n) {
				continue
			}
			for _, b := range needs(w) {
				if !set[b] {
					set[b], grown = true, true
				}
			}
		}
	}
}

// needs returns what a workload refers to.
func needs(w *fleet.Workload) []fleet.Addr {
	out := slices.Clone(w.DependsOn)
	for _, n := range w.Spec.Networks {
		out = append(out, fleet.NetworkAddr(n))
	}
	for _, mt := range w.Spec.Mounts {
		if mt.Kind == fleet.MountVolume {
			out = append(out, fleet.VolumeAddr(mt.Volume))
		}
	}
	return out
}

// nothing is the message for an address that names nothing, with what may have been meant.
func (k *catalog) nothing(flag string, a fleet.Addr) diag.Diagnostic {
	type guess struct {
		addr fleet.Addr
		far  int
	}
	var near []guess
	for b := range k.known {
		if d := distance(string(a), string(b)); d <= max(2, len(b)/4) {
			near = append(near, guess{b, d})
		}
	}
	slices.SortFunc(near, func(x, y guess) int {
		if x.far != y.far {
			return x.far - y.far
		}
		return compareText(x.addr, y.addr)
	})
	d := diag.Diagnostic{
		Code:    diag.CodeTarget,
		Summary: "The address names nothing",
		Detail:  fmt.Sprintf("%s=%s: nothing of that address is declared or recorded.", flag, a),
		Remedy:  "stowage state list   to see every address",
	}
	if r, ok := a.Replica(); ok {
		if n, known := k.slots[r.Workload]; known {
			d.Detail += fmt.Sprintf(" The last replica is %s.", fleet.ReplicaID{Workload: r.Workload, Slot: fleet.Slot(n)})
		}
	}
	if len(near) > 0 {
		var names []string
		for _, g := range near[:min(len(near), 3)] {
			names = append(names, string(g.addr))
		}
		d.Remedy = "Did you mean " + strings.Join(names, ", or ") + "?"
	}
	return d
}

// distance is the number of letters to add, drop or change to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
