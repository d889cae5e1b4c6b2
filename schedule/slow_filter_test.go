package schedule

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"

	version "github.com/hashicorp/go-version"

	"github.com/stowage-run/stowage/fleet"
)

// rejects names the first filter that keeps a seat from a host; empty: none does.
func (s *slow) rejects(t *slowSeat, h *fleet.Host) string {
	stands := t.current != nil && t.current.Host == h.Name
	if f := s.forbids(t.work, h, stands); f != "" {
		return f
	}
	if s.waitsForHost(t) {
		return "barred"
	}
	for _, hosts := range s.ties(t) {
		if !slices.Contains(hosts, h.Name) {
			return "volume"
		}
	}
	known := s.in.Hosts[h.Name].Known
	if (!stands || known) && s.portTaken(t, h) {
		return "port"
	}
	if most := t.work.Placement.MaxPerHost; t.work.Mode != fleet.Global && most > 0 && s.count(t.work, h) >= most {
		return "max_per_host"
	}
	if !stands || known {
		return s.short(h, fleet.Resources{}, t.work.Reserve)
	}
	return ""
}

// forbids names the first filter that keeps a workload from a host whatever else is placed. What stands there stays in
// spite of a cordon and of silence.
func (s *slow) forbids(w *fleet.Workload, h *fleet.Host, stands bool) string {
	p, facts := w.Placement, s.in.Hosts[h.Name]
	switch {
	case len(p.Hosts) > 0 && !slices.Contains(p.Hosts, h.Name):
		return "hosts"
	case !hasLabels(h, p.Labels):
		return "labels"
	case slices.ContainsFunc(p.Constraints, func(c fleet.Constraint) bool { return !s.meets(h, c, stands) }):
		return "constraint"
	case len(s.in.Archs[w.Name]) > 0 && facts.Arch != "" && !slices.Contains(s.in.Archs[w.Name], facts.Arch):
		return "arch"
	case h.Devices != nil && slices.ContainsFunc(w.Spec.Devices, func(d fleet.Device) bool { return !slices.Contains(h.Devices, d.Host) }):
		return "devices"
	case h.Cordon && !stands:
		return "cordoned"
	case h.Drain:
		return "drained"
	case facts.Lost:
		return "lost"
	case !facts.Known && !stands:
		return "unreachable"
	}
	return ""
}

func hasLabels(h *fleet.Host, want map[string]string) bool {
	for k, v := range want {
		if has, ok := h.Labels[k]; !ok || has != v {
			return false
		}
	}
	return true
}

// attribute returns a label or fact of a host. silent: it is a fact that the host would say if it answered.
func (s *slow) attribute(h *fleet.Host, name string) (value string, ok, silent bool) {
	facts := s.in.Hosts[h.Name]
	fact := map[string]string{
		"host.arch": facts.Arch, "host.os": facts.OS, "host.engine": facts.Engine, "host.engine_version": facts.EngineVersion,
	}
	switch v, isFact := fact[name]; {
	case name == "host.name":
		return string(h.Name), true, false
	case name == "host.address":
		return h.Address, h.Address != "", false
	case isFact:
		return v, v != "", v == "" && !facts.Known
	}
	value, ok = h.Labels[name]
	return value, ok, false
}

func (s *slow) meets(h *fleet.Host, c fleet.Constraint, stands bool) bool {
	v, ok, silent := s.attribute(h, c.Attribute)
	if silent && stands {
		return true
	}
	switch c.Operator {
	case fleet.OpIsSet:
		return len(c.Values) == 1 && c.Values[0] == strconv.FormatBool(ok)
	case fleet.OpNotEqual:
		return !ok || v != c.Values[0]
	case fleet.OpNotIn:
		return !ok || !slices.Contains(c.Values, v)
	}
	return ok && compares(v, c.Operator, c.Values)
}

func compares(v string, op fleet.Operator, values []string) bool {
	switch op {
	case fleet.OpEqual:
		return v == values[0]
	case fleet.OpIn:
		return slices.Contains(values, v)
	case fleet.OpLess:
		return ordered(v, values[0]) < 0
	case fleet.OpLessEqual:
		return ordered(v, values[0]) <= 0
	case fleet.OpGreater:
		return ordered(v, values[0]) > 0
	case fleet.OpGreaterEqual:
		return ordered(v, values[0]) >= 0
	case fleet.OpRegexp:
		re, err := regexp.Compile(values[0])
		return err == nil && re.MatchString(v)
	case fleet.OpVersion:
		c, err := version.NewConstraint(values[0])
		has, bad := version.NewVersion(v)
		return err == nil && bad == nil && c.Check(has)
	}
	return false
}

// ordered compares as numbers where both are, else as text.
func ordered(a, b string) int {
	x, err1 := strconv.ParseFloat(a, 64)
	y, err2 := strconv.ParseFloat(b, 64)
	if err1 == nil && err2 == nil {
		return cmp.Compare(x, y)
	}
	return strings.Compare(a, b)
}

// bounds says of which resources a host has a known amount.
type bounds struct{ cpu, memory, gpus bool }

// room is what a host has for workloads.
func (s *slow) room(h *fleet.Host) (fleet.Resources, bounds) {
	c := s.in.Hosts[h.Name].Capacity
	c = fleet.Resources{CPU: cmp.Or(h.Capacity.CPU, c.CPU), Memory: cmp.Or(h.Capacity.Memory, c.Memory), GPUs: cmp.Or(h.Capacity.GPUs, c.GPUs)}
	known := bounds{c.CPU != 0, c.Memory != 0, c != fleet.Resources{}}
	c = c.Sub(h.Reserve)
	return fleet.Resources{CPU: max(c.CPU, 0), Memory: max(c.Memory, 0), GPUs: max(c.GPUs, 0)}, known
}

// usedOn adds up what is placed on a host.
func (s *slow) usedOn(h *fleet.Host) fleet.Resources {
	var sum fleet.Resources
	for _, t := range s.placed {
		if t.at == h.Name {
			sum = sum.Add(t.reserve())
		}
	}
	return sum
}

// reserve is what a placed replica takes up: a frozen one as much as it was placed with.
func (t *slowSeat) reserve() fleet.Resources {
	if t.frozen && (t.work == nil || t.current.Reserve != fleet.Resources{}) {
		return t.current.Reserve
	}
	return t.work.Reserve
}

// short names what a host has too little of, for more beyond what is placed and extra.
func (s *slow) short(h *fleet.Host, extra, more fleet.Resources) string {
	room, known := s.room(h)
	all := s.usedOn(h).Add(extra).Add(more)
	switch {
	case known.cpu && more.CPU > 0 && all.CPU > room.CPU:
		return "cpu"
	case known.memory && more.Memory > 0 && all.Memory > room.Memory:
		return "memory"
	case known.gpus && more.GPUs > 0 && all.GPUs > room.GPUs:
		return "gpus"
	}
	return ""
}

// count counts the replicas of a workload on a host.
func (s *slow) count(w *fleet.Workload, h *fleet.Host) (n int) {
	for _, t := range s.placed {
		if t.work == w && t.at == h.Name {
			n++
		}
	}
	return n
}

// compareHosts puts the host first on which one more replica of w is better.
func (s *slow) compareHosts(w *fleet.Workload, a, b *fleet.Host) int {
	for i := range w.Placement.Spread {
		labels := w.Placement.Spread[:i+1]
		if c := cmp.Compare(s.countLike(w, a, labels), s.countLike(w, b, labels)); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(s.affinity(w, b), s.affinity(w, a)); c != 0 {
		return c
	}
	load := cmp.Compare(s.load(w, a), s.load(w, b))
	if w.Placement.Strategy == fleet.StrategyBinpack {
		return cmp.Or(-load, cmp.Compare(a.Name, b.Name))
	}
	return cmp.Or(
		cmp.Compare(s.count(w, a), s.count(w, b)),
		load,
		cmp.Compare(s.replicas(a), s.replicas(b)),
		cmp.Compare(a.Name, b.Name),
	)
}

// countLike counts the replicas of w on all hosts that are like h in these labels.
func (s *slow) countLike(w *fleet.Workload, h *fleet.Host, labels []string) (n int) {
	for _, o := range s.hosts {
		if !slices.ContainsFunc(labels, func(l string) bool { return !sameLabel(o, h, l) }) {
			n += s.count(w, o)
		}
	}
	return n
}

// sameLabel takes a label that is not set for a value of its own.
func sameLabel(a, b *fleet.Host, label string) bool {
	x, isX := a.Labels[label]
	y, isY := b.Labels[label]
	return x == y && isX == isY
}

func (s *slow) affinity(w *fleet.Workload, h *fleet.Host) (sum int) {
	for _, a := range w.Placement.Affinities {
		name, isWorkload := strings.CutPrefix(a.Attribute, "workload.")
		if isWorkload && name != string(w.Name) && s.hasAny(fleet.WorkloadName(name), h) ||
			!isWorkload && s.meets(h, fleet.Constraint{Attribute: a.Attribute, Operator: a.Operator, Values: a.Values}, false) {
			sum += a.Weight
		}
	}
	return sum
}

func (s *slow) hasAny(n fleet.WorkloadName, h *fleet.Host) bool {
	return slices.ContainsFunc(s.placed, func(t *slowSeat) bool { return t.id.Workload == n && t.at == h.Name })
}

func (s *slow) replicas(h *fleet.Host) (n int) {
	for _, t := range s.placed {
		if t.at == h.Name {
			n++
		}
	}
	return n
}

// load is how full the fullest resource of a host would be with one more replica of w.
func (s *slow) load(w *fleet.Workload, h *fleet.Host) float64 {
	room, known := s.room(h)
	known.gpus = known.gpus && w.Reserve.GPUs > 0
	return fullest(s.usedOn(h).Add(w.Reserve), room, known)
}

func fullest(n, of fleet.Resources, known bounds) float64 {
	share := func(known bool, n, of int64) float64 {
		switch {
		case !known:
			return 0
		case of <= 0:
			return 1
		}
		return float64(n) / float64(of)
	}
	return max(share(known.cpu, int64(n.CPU), int64(of.CPU)), share(known.memory, int64(n.Memory), int64(of.Memory)),
		share(known.gpus, int64(n.GPUs), int64(of.GPUs)))
}
