package schedule

import (
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stowage-run/stowage/fleet"
)

// checker states what must hold of every assignment, apart from the code that makes them.
type checker struct {
	t  *rapid.T
	in Input
	a  fleet.Assignment
}

func (c checker) workload(n fleet.WorkloadName) *fleet.Workload {
	for i := range c.in.Fleet.Workloads {
		if c.in.Fleet.Workloads[i].Name == n {
			return &c.in.Fleet.Workloads[i]
		}
	}
	return nil
}

func (c checker) host(n fleet.HostName) *fleet.Host {
	for i := range c.in.Fleet.Hosts {
		if c.in.Fleet.Hosts[i].Name == n {
			return &c.in.Fleet.Hosts[i]
		}
	}
	return nil
}

// mayStand reports whether what is declared lets a workload stand on a host, or go on standing there.
func (c checker) mayStand(w *fleet.Workload, h *fleet.Host, stands bool) bool {
	if h == nil || h.Drain || c.in.Hosts[h.Name].Lost || len(w.Placement.Hosts) > 0 && !slices.Contains(w.Placement.Hosts, h.Name) {
		return false
	}
	for k, v := range w.Placement.Labels {
		if h.Labels[k] != v {
			return false
		}
	}
	s := slow{in: c.in}
	for _, k := range w.Placement.Constraints {
		if !s.meets(h, k, stands) {
			return false
		}
	}
	for _, d := range w.Spec.Devices {
		if h.Devices != nil && !slices.Contains(h.Devices, d.Host) {
			return false
		}
	}
	archs, arch := c.in.Archs[w.Name], c.in.Hosts[h.Name].Arch
	return len(archs) == 0 || arch == "" || slices.Contains(archs, arch)
}

// roomFor reports whether a host has place for one more, by the placed and the standing order of things.
func (c checker) roomFor(w *fleet.Workload, h *fleet.Host) bool {
	used, n := w.Reserve, 1
	for _, p := range c.a.Placed {
		if p.Host != h.Name {
			continue
		}
		o := c.workload(p.Replica.Workload)
		if cur, ok := c.in.Current[p.Replica]; c.in.Frozen[p.Replica.Workload] && ok && (cur.Reserve != fleet.Resources{} || o == nil) {
			used = used.Add(cur.Reserve)
		} else {
			used = used.Add(o.Reserve)
		}
		if o != nil && o.Name == w.Name {
			n++
		}
		for _, k := range w.Spec.Ports {
			if k.Policy == fleet.PortFixed && c.portsClash(k, k.Host, p) {
				return false
			}
		}
	}
	for _, s := range c.in.Hosts[h.Name].Taken {
		for _, k := range w.Spec.Ports {
			if k.Policy == fleet.PortFixed && k.Host == s.Host && clash(k.Bind, s.Bind) {
				return false
			}
		}
	}
	if w.Placement.MaxPerHost > 0 && w.Mode != fleet.Global && n > w.Placement.MaxPerHost {
		return false
	}
	return within(used, w.Reserve, c.in.Hosts[h.Name].Capacity, h.Reserve)
}

func clash(a, b string) bool { return a == b || a == "" || b == "" }

// portsClash reports whether a placed replica has a port in the way.
func (c checker) portsClash(k fleet.Port, number uint16, p fleet.Placed) bool {
	for name, n := range p.HostPorts {
		bind := ""
		if o := c.workload(p.Replica.Workload); o != nil {
			for _, q := range o.Spec.Ports {
				if q.Name == name {
					bind = q.Bind
				}
			}
		}
		if n == number && clash(bind, k.Bind) {
			return true
		}
	}
	return false
}

func within(used, more, capacity, reserve fleet.Resources) bool {
	free := capacity.Sub(reserve)
	return (more.CPU == 0 || capacity.CPU == 0 || used.CPU <= max(free.CPU, 0)) &&
		(more.Memory == 0 || capacity.Memory == 0 || used.Memory <= max(free.Memory, 0)) &&
		(more.GPUs == 0 || capacity == fleet.Resources{} || used.GPUs <= free.GPUs)
}

// check verifies everything that can be said of any assignment.
func (c checker) check() {
	c.everySlotOnce()
	for i, p := range c.a.Placed {
		w := c.workload(p.Replica.Workload)
		cur, stood := c.in.Current[p.Replica]
		if c.in.Frozen[p.Replica.Workload] {
			if p.Host != cur.Host || !cmp.Equal(p.HostPorts, cur.HostPorts) || p.Reason != "" {
				c.t.Fatalf("frozen %v changed: %+v", p.Replica, p)
			}
			continue
		}
		c.reasoned(p, cur, stood)
		h := c.host(p.Host)
		if !c.mayStand(w, h, p.From == p.Host) {
			c.t.Fatalf("%v may not stand on %s", p.Replica, p.Host)
		}
		known := c.in.Hosts[p.Host].Known
		if p.From != p.Host && (h.Cordon || !known) {
			c.t.Fatalf("%v is new on %s, cordoned or unknown", p.Replica, p.Host)
		}
		if len(p.HostPorts) != len(w.Spec.Ports) {
			c.t.Fatalf("%v has host ports %v", p.Replica, p.HostPorts)
		}
		if known { // taken out and asked for again, it must fit
			rest := c
			rest.a.Placed = slices.Delete(slices.Clone(c.a.Placed), i, i+1)
			if !rest.roomFor(w, h) {
				c.t.Fatalf("%v does not fit on %s", p.Replica, p.Host)
			}
			c.autoPorts(rest, w, p)
		}
	}
	c.volumesAreOneThing()
	c.refusedHaveNoRoom()
	c.displacedAreListed()
}

// everySlotOnce checks that what is wanted is placed or refused, and what stands is one of those or gone.
func (c checker) everySlotOnce() {
	seen := map[fleet.ReplicaID]int{}
	for _, p := range c.a.Placed {
		seen[p.Replica]++
	}
	for _, r := range c.a.Refused {
		hosts := 0
		for _, f := range r.Filters {
			hosts += f.Hosts
		}
		if w := c.workload(r.Workload); w.Mode != fleet.Global && hosts != len(c.in.Fleet.Hosts) {
			c.t.Fatalf("refusal %q counts %d of %d hosts", Explain(r), hosts, len(c.in.Fleet.Hosts))
		}
		for _, s := range r.Slots {
			seen[fleet.ReplicaID{Workload: r.Workload, Slot: s}]++
		}
	}
	for _, g := range c.a.Gone {
		seen[g.Replica]++
		if g.Reason == "" {
			c.t.Fatalf("%v is gone without a reason", g.Replica)
		}
	}
	for r := range c.in.Current {
		if seen[r] != 1 {
			c.t.Fatalf("%v stands and is listed %d times", r, seen[r])
		}
	}
	for _, w := range c.in.Fleet.Workloads {
		for i := range w.Replicas {
			r := fleet.ReplicaID{Workload: w.Name, Slot: fleet.Slot(i)}
			if seen[r] != 1 && !c.in.Frozen[w.Name] {
				c.t.Fatalf("%v is wanted and listed %d times", r, seen[r])
			}
		}
	}
}

// reasoned checks that a change has a reason and that nothing else has.
func (c checker) reasoned(p fleet.Placed, cur Current, stood bool) {
	if p.From != cur.Host {
		c.t.Fatalf("%v comes from %q, stood on %q", p.Replica, p.From, cur.Host)
	}
	moved := !stood || p.Host != cur.Host
	if moved && p.Reason == "" || !moved && p.Reason != "" && !strings.HasPrefix(p.Reason, "port ") {
		c.t.Fatalf("%v %s -> %s, reason %q", p.Replica, p.From, p.Host, p.Reason)
	}
}

// autoPorts checks that automatic ports are in range and nobody else's.
func (c checker) autoPorts(rest checker, w *fleet.Workload, p fleet.Placed) {
	for _, k := range w.Spec.Ports {
		n := p.HostPorts[k.Name]
		if k.Policy == fleet.PortAuto && (n < fleet.AutoPortFirst || n > fleet.AutoPortLast) {
			c.t.Fatalf("%v has automatic port %d", p.Replica, n)
		}
		for _, o := range rest.a.Placed {
			if o.Host == p.Host && rest.portsClash(k, n, o) {
				c.t.Fatalf("%v and %v both have %d on %s", p.Replica, o.Replica, n, p.Host)
			}
		}
		for _, s := range c.in.Hosts[p.Host].Taken {
			if s.Host == n && clash(s.Bind, k.Bind) {
				c.t.Fatalf("%v has a stranger's port %d", p.Replica, n)
			}
		}
	}
}

// volumesAreOneThing checks that nobody who is free to move stands away from a shared volume's home.
func (c checker) volumesAreOneThing() {
	at := map[fleet.HostName]bool{}
	for _, p := range c.a.Placed {
		w := c.workload(p.Replica.Workload)
		if w == nil || w.Mode == fleet.Global || !slices.ContainsFunc(w.Spec.Mounts, isOne) {
			continue
		}
		if c.in.Current[p.Replica].Holds || c.in.Frozen[w.Name] {
			return // stays where its data is, whatever the others do
		}
		at[p.Host] = true
	}
	if len(at) > 1 {
		c.t.Fatalf("volume one is used on %v", at)
	}
}

func isOne(m fleet.Mount) bool { return m.Volume == "one" }

// refusedHaveNoRoom checks that a refused replica that waits for no volume and no host really has none.
func (c checker) refusedHaveNoRoom() {
	for _, r := range c.a.Refused {
		w := c.workload(r.Workload)
		stood := c.in.Current[fleet.ReplicaID{Workload: r.Workload, Slot: r.Slots[0]}].Host
		if w.Mode == fleet.Global || len(w.Spec.Mounts) > 0 || w.Exclusive && c.in.Hosts[stood].Lost {
			continue
		}
		for i := range c.in.Fleet.Hosts {
			h := &c.in.Fleet.Hosts[i]
			if !h.Cordon && c.in.Hosts[h.Name].Known && c.mayStand(w, h, false) && c.roomFor(w, h) {
				c.t.Fatalf("%s: but %s has room", Explain(r), h.Name)
			}
		}
	}
}

// displacedAreListed checks that what is displaced stands, is refused, and may be displaced at all.
func (c checker) displacedAreListed() {
	for _, g := range c.a.Displaced {
		w, cur := c.workload(g.Replica.Workload), c.in.Current[g.Replica]
		switch {
		case cur.Host == "" || cur.Host != g.Host || g.Reason == "":
			c.t.Fatalf("displaced %+v stands on %q", g, cur.Host)
		case !isRefused(c.a, g.Replica):
			c.t.Fatalf("%v is displaced and not refused", g.Replica)
		case cur.Holds && len(w.Spec.Mounts) > 0, w.Exclusive, w.Mode == fleet.Global, c.in.Frozen[w.Name], !c.in.Hosts[g.Host].Known:
			c.t.Fatalf("%v may not be displaced from %s", g.Replica, g.Host)
		}
	}
}
