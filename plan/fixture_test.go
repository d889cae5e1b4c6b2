package plan

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

const (
	testFleet = fleet.ID("11111111-2222-3333-4444-555555555555")
	testName  = fleet.Name("shop")
)

// world is a desired fleet, a record and hosts: all that a fixture says.
type world struct {
	desired fleet.Fleet
	snap    state.Snapshot
	view    fleet.View
	answers Answers
	opts    Options

	placed   []func(*fleet.Assignment) // what the scheduler says beyond what place does
	survival *fleet.Survival
}

func newWorld() *world {
	return &world{
		desired: fleet.Fleet{Name: testName},
		snap: state.Snapshot{
			Meta:      state.Meta{ID: testFleet, Name: testName, SealKey: []byte("0123456789abcdef0123456789abcdef")},
			Workloads: map[fleet.WorkloadName]fleet.Workload{}, Specs: map[fleet.Revision]fleet.Spec{},
			Replicas: map[fleet.ReplicaID]state.Replica{}, Hosts: map[fleet.HostName]state.Host{},
			Outputs: map[string]fleet.Output{}, Rollouts: map[fleet.WorkloadName]state.Rollout{}, Serials: map[state.Key]state.Serial{},
		},
		view:    fleet.View{Hosts: map[fleet.HostName]fleet.Sighting{}},
		answers: Answers{Registry: map[string]RegistryAnswer{}, Local: map[string]fleet.ObservedImage{}},
		opts:    Options{ID: "plan-1", Tool: "test", Now: time.Unix(1000, 0).UTC(), Config: "sha256:config"},
	}
}

// plan goes the way that reconcile goes: pin, match, place, make.
func (w *world) plan(t testing.TB) (*Plan, []string) {
	t.Helper()
	w.answer()
	return w.planQuiet()
}

// planQuiet is plan without the answers that fixtures take from the desired images.
func (w *world) planQuiet() (*Plan, []string) {
	pinned, notes, diags := Pin(&w.desired, &w.snap, w.view, w.answers)
	if diags.HasErrors() {
		return nil, messages(diags)
	}
	inv := Match(&w.snap, w.view)
	running := *pinned
	done := Completed(Input{Desired: pinned, Snapshot: &w.snap, Inventory: inv, Options: w.opts})
	running.Workloads = slices.DeleteFunc(slices.Clone(pinned.Workloads), func(x fleet.Workload) bool { return done[x.Name] })
	a := place(&running, &inv, w.view)
	for _, change := range w.placed {
		change(&a)
	}
	p, diags := Make(Input{
		Desired: pinned, Snapshot: &w.snap, View: w.view, Inventory: inv, Assignment: a, Survival: w.survival,
		Images: notes, Answers: w.answers, Options: w.opts,
	})
	return p, messages(diags)
}

// answer lets registries know the digests that the desired images are written with.
func (w *world) answer() {
	for i := range w.desired.Workloads {
		img := &w.desired.Workloads[i].Spec.Image
		if _, ok := w.answers.Registry[img.Ref]; !ok && img.Digest != "" {
			w.answers.Registry[img.Ref] = RegistryAnswer{Digest: img.Digest}
		}
		img.Digest, img.ID = "", ""
	}
}

func messages(l diag.List) []string {
	var out []string
	for _, d := range l {
		out = append(out, string(d.Code)+" "+d.Error())
	}
	return out
}

// place is a scheduler that does just enough: what stands stays, the rest goes where there is least.
func place(f *fleet.Fleet, inv *Inventory, v fleet.View) fleet.Assignment {
	var a fleet.Assignment
	load := map[fleet.HostName]int{}
	var open []fleet.HostName
	for _, h := range f.Hosts {
		if _, ok := v.Known(h.Name); ok && !h.Cordon && !h.Drain {
			open = append(open, h.Name)
		}
	}
	stays := func(r fleet.ReplicaID, w *fleet.Workload) fleet.HostName {
		h := inv.Slot(r)
		if h == nil || h.Host == "" {
			return ""
		}
		for i := range f.Hosts {
			if d := &f.Hosts[i]; d.Name == h.Host && !d.Drain && eligible(d, w) {
				return d.Name
			}
		}
		return ""
	}
	var todo []fleet.Placed
	for i := range f.Workloads {
		w := &f.Workloads[i]
		for n := range w.Replicas {
			r := fleet.ReplicaID{Workload: w.Name, Slot: fleet.Slot(n)}
			p := fleet.Placed{Replica: r, Host: stays(r, w)}
			if h := inv.Slot(r); h != nil {
				p.From = h.Host
			}
			if p.Host != "" {
				load[p.Host]++
			}
			todo = append(todo, p)
		}
	}
	for i := range todo {
		p := &todo[i]
		w := f.Workloads[slices.IndexFunc(f.Workloads, func(w fleet.Workload) bool { return w.Name == p.Replica.Workload })]
		if p.Host == "" {
			p.Host, p.Reason = choose(f, &w, open, load), "is new"
			if p.From != "" {
				p.Reason = "cannot stay on " + string(p.From)
			}
			if p.Host == "" {
				a.Refused = append(a.Refused, fleet.Refusal{
					Workload: w.Name, Slots: []fleet.Slot{p.Replica.Slot}, Filters: []fleet.FilterCount{{Hosts: len(f.Hosts), Filter: "will not do"}},
				})
				continue
			}
			load[p.Host]++
		}
		p.HostPorts = ports(p, &w, inv)
		a.Placed = append(a.Placed, *p)
	}
	return a
}

func choose(f *fleet.Fleet, w *fleet.Workload, open []fleet.HostName, load map[fleet.HostName]int) fleet.HostName {
	best := fleet.HostName("")
	for _, n := range open {
		h := &f.Hosts[slices.IndexFunc(f.Hosts, func(h fleet.Host) bool { return h.Name == n })]
		if eligible(h, w) && (best == "" || load[n] < load[best]) {
			best = n
		}
	}
	return best
}

// ports keeps a slot's ports on its host; the automatic ones follow from its number.
func ports(p *fleet.Placed, w *fleet.Workload, inv *Inventory) map[string]uint16 {
	var m map[string]uint16
	for i, q := range w.Spec.Ports {
		if q.Policy == fleet.PortInternal {
			continue
		}
		if m == nil {
			m = map[string]uint16{}
		}
		m[q.Name] = q.Host
		if q.Policy == fleet.PortAuto {
			sum := 0
			for _, c := range w.Name {
				sum += int(c)
			}
			m[q.Name] = uint16(20000 + sum%50*100 + i*10 + int(p.Replica.Slot))
		}
	}
	if h := inv.Slot(p.Replica); h != nil && h.Host == p.Host {
		for n, old := range h.HostPorts(&w.Spec) {
			if q := slices.IndexFunc(w.Spec.Ports, func(q fleet.Port) bool { return q.Name == n }); q >= 0 && w.Spec.Ports[q].Policy == fleet.PortAuto {
				m[n] = old
			}
		}
	}
	return m
}

// stepLine is a step as fixtures show it: "3 run workload.web[0]@web1 g1 rev abc needs 0,1".
func stepLine(s *Step) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s %s", s.ID, s.Kind, s.Addr)
	if s.Host != "" {
		fmt.Fprintf(&b, "@%s", s.Host)
	}
	if s.Container != nil {
		fmt.Fprintf(&b, " %s", s.Container.ID)
		if s.Kind == KindRename {
			fmt.Fprintf(&b, " to %s", s.Container.Name)
		}
	}
	if i := s.Instance; i != nil {
		fmt.Fprintf(&b, " g%d", i.Generation)
		for _, n := range slices.Sorted(maps.Keys(i.HostPorts)) {
			fmt.Fprintf(&b, " %s=%d", n, i.HostPorts[n])
		}
		for _, t := range slices.Sorted(maps.Keys(i.Volumes)) {
			fmt.Fprintf(&b, " %s=%s", t, i.Volumes[t])
		}
	}
	if i := s.Image; i != nil {
		fmt.Fprintf(&b, " %s", i.Ref)
		if i.Digest != "" {
			fmt.Fprintf(&b, "@%s", i.Digest)
		}
		if i.ID != "" {
			fmt.Fprintf(&b, "#%s", i.ID)
		}
	}
	if n := s.Network; n != nil {
		fmt.Fprintf(&b, " %s", n.Engine)
		if len(n.Aliases) > 0 {
			fmt.Fprintf(&b, " as %s", strings.Join(n.Aliases, ","))
		}
	}
	if s.Volume != nil {
		fmt.Fprintf(&b, " %s", s.Volume.Engine)
	}
	if l := s.Limits; l != nil {
		fmt.Fprintf(&b, " cpu=%s memory=%s restart=%s", l.CPU, l.Memory, s.Restart)
	}
	if len(s.Files) > 0 {
		fmt.Fprintf(&b, " %s", strings.Join(s.Files, ","))
	}
	if s.Signal != "" {
		fmt.Fprintf(&b, " %s", s.Signal)
	}
	if s.Timeout > 0 {
		fmt.Fprintf(&b, " within %s", s.Timeout)
	}
	if c := s.Complete; c != nil {
		fmt.Fprintf(&b, " %s retries=%d failed=%d", c.Timeout, c.Retries, c.Failed)
	}
	if s.Ends {
		b.WriteString(" ends")
	}
	b.WriteString(recordText(&s.Record))
	if p := s.Record.PutReplica; p != nil && p.Proven && s.Kind != KindGate {
		b.WriteString(" proven")
	}
	if len(s.Needs) > 0 {
		fmt.Fprintf(&b, " needs %s", strings.Trim(strings.ReplaceAll(fmt.Sprint(s.Needs), " ", ","), "[]"))
	}
	return b.String()
}

func recordText(r *Record) string {
	var b strings.Builder
	if p := r.PutReplica; p != nil {
		fmt.Fprintf(&b, " -> g%d@%s", p.Generation, p.Host)
		if p.Revision == Changing {
			b.WriteString(" changing")
		}
		if p.Container != "" {
			fmt.Fprintf(&b, " %s", p.Container)
		}
	}
	if r.DeleteReplica != nil {
		fmt.Fprintf(&b, " -> forget %s", r.DeleteReplica)
	}
	if r.PutVolume != nil || r.PutNetwork != nil {
		b.WriteString(" -> recorded")
	}
	if r.DeleteVolume != nil || r.DeleteNetwork != nil {
		b.WriteString(" -> forgotten")
	}
	if r.DeleteHost != "" {
		fmt.Fprintf(&b, " -> forget host.%s", r.DeleteHost)
	}
	if len(r.DeleteIntents) > 0 {
		fmt.Fprintf(&b, " resolves %v", r.DeleteIntents)
	}
	return b.String()
}

// planText is a plan as fixtures show it.
func planText(p *Plan, problems []string) string {
	var b strings.Builder
	section := func(name string, lines []string) {
		if len(lines) > 0 {
			fmt.Fprintf(&b, "%s\n  %s\n", name, strings.Join(lines, "\n  "))
		}
	}
	if p == nil {
		section("problems", problems)
		return b.String()
	}
	var lines []string
	for i := range p.Changes {
		lines = append(lines, changeLine(&p.Changes[i]))
	}
	section("changes", lines)
	lines = nil
	for _, d := range p.Drift {
		lines = append(lines, fmt.Sprintf("%s@%s %s: %s", d.Addr, d.Host, d.What, d.Will))
	}
	section("drift", lines)
	lines = nil
	for i := range p.Steps {
		lines = append(lines, stepLine(&p.Steps[i]))
	}
	section("steps", lines)
	lines = nil
	for _, r := range p.Rollouts {
		lines = append(lines, string(r.Workload)+": "+r.Text)
	}
	section("rollouts", lines)
	lines = nil
	for _, e := range p.Exposed {
		verb := "opens"
		if e.Closes {
			verb = "closes"
		}
		lines = append(lines, fmt.Sprintf("%s %s %s:%d/%s on %s", e.Addr, verb, e.Bind, e.Port, e.Protocol, e.Host))
	}
	section("exposed", lines)
	lines = nil
	for _, s := range p.Skipped {
		lines = append(lines, fmt.Sprintf("%s (%s): %s", s.Host, s.Why, strings.Join(s.Owed, "; ")))
	}
	section("skipped", lines)
	lines = nil
	for _, n := range p.Images {
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s %s, %s; has %v pull %v send %v other %v", n.Image.Ref, n.Image.Pin(), n.Why, n.Has, n.Pull, n.Send, n.Other)))
	}
	section("images", lines)
	lines = nil
	for _, o := range p.Outputs {
		lines = append(lines, fmt.Sprintf("%s %s: %s -> %s", o.Action, o.Name, o.Before, o.After))
	}
	section("outputs", lines)
	section("warnings", problems)
	section("what if", p.WhatIf)
	lines = nil
	for _, u := range p.Unplaced {
		lines = append(lines, fmt.Sprintf("%s %v waits %v: %s", u.Workload, u.Slots, u.Waits, strings.Join(u.Why, "; ")))
	}
	section("unplaced", lines)
	section("stowage", stowageLines(p.Stowage))
	t := &text{plan: p}
	if t.survival(); t.Len() > 0 {
		section("survival", strings.Split(strings.TrimRight(t.String(), "\n"), "\n"))
	}
	c := p.Counts()
	fmt.Fprintf(&b, "counts %d to replace, %d to move, %d to add, %d to change, %d to destroy; %d adopted, %d forgotten\n",
		c.Replace, c.Move, c.Add, c.Change, c.Destroy, c.Adopt, c.Forget)
	return b.String()
}

func changeLine(c *Change) string {
	s := fmt.Sprintf("%s %s@%s (%s)", c.Action, c.Addr, c.Host, c.Reason)
	if c.From != "" {
		s += " from " + string(c.From)
	}
	if c.CreateFirst {
		s += " created first"
	}
	for _, d := range c.Diff {
		show := func(v *string) string {
			if v == nil {
				return "-"
			}
			return strconv.Quote(*v)
		}
		s += fmt.Sprintf(" %s: %s -> %s", d.Path, show(d.Before), show(d.After))
		if d.Replaces {
			s += "!"
		}
	}
	return s
}
