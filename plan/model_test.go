package plan

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// model is a fleet of pretended hosts that carries out steps as engines would, and complains where an engine would
// refuse or an invariant is broken.
type model struct {
	hosts map[fleet.HostName]*modelHost
	snap  state.Snapshot
	ids   int
	errs  []string
}

type modelHost struct {
	silent     bool
	containers map[string]*modelContainer
	foreign    []fleet.ForeignContainer
	networks   map[string]fleet.ID // owner
	volumes    map[string]fleet.ID
	images     map[string]fleet.ObservedImage // by reference
	pulled     map[string]bool                // pins
}

type modelContainer struct {
	fleet.Container
	files map[string]string
	stale bool // runs with files that it has not read
}

func newModel() *model {
	w := newWorld()
	return &model{hosts: map[fleet.HostName]*modelHost{}, snap: w.snap}
}

func (m *model) host(n fleet.HostName) *modelHost {
	h := m.hosts[n]
	if h == nil {
		h = &modelHost{
			containers: map[string]*modelContainer{}, networks: map[string]fleet.ID{"theirs": "", "bridge": ""},
			volumes: map[string]fleet.ID{"theirs": "other"}, images: map[string]fleet.ObservedImage{}, pulled: map[string]bool{},
			foreign: []fleet.ForeignContainer{{ID: "x-" + string(n), Name: "stranger", Phase: fleet.PhaseRunning}},
		}
		m.hosts[n] = h
	}
	return h
}

func (m *model) fail(format string, args ...any) {
	m.errs = append(m.errs, fmt.Sprintf(format, args...))
}

// view is what the hosts say.
func (m *model) view() fleet.View {
	v := fleet.View{Hosts: map[fleet.HostName]fleet.Sighting{}}
	for n, h := range m.hosts {
		if h.silent {
			v.Hosts[n] = fleet.Sighting{Why: "silent"}
			continue
		}
		o := &fleet.Observation{Engine: fleet.EngineInfo{ID: "engine-" + string(n)}, Foreign: h.foreign}
		for _, id := range slices.Sorted(maps.Keys(h.containers)) {
			o.Containers = append(o.Containers, h.containers[id].Container)
		}
		slices.SortFunc(o.Containers, func(a, b fleet.Container) int { return compareText(a.Name, b.Name) })
		for _, name := range slices.Sorted(maps.Keys(h.networks)) {
			o.Networks = append(o.Networks, fleet.ObservedNetwork{Name: name, Driver: "bridge", Fleet: h.networks[name]})
		}
		for _, name := range slices.Sorted(maps.Keys(h.volumes)) {
			o.Volumes = append(o.Volumes, fleet.ObservedVolume{Name: name, Driver: "local", Fleet: h.volumes[name]})
		}
		for _, ref := range slices.Sorted(maps.Keys(h.images)) {
			o.Images = append(o.Images, h.images[ref])
		}
		v.Hosts[n] = fleet.Sighting{Observation: o}
	}
	return v
}

// begin records what apply does before the first step.
func (m *model) begin(p *Plan) {
	if p.Mode == RefreshOnly {
		return
	}
	m.snap.Release = p.Release
	m.snap.Workloads = map[fleet.WorkloadName]fleet.Workload{}
	for _, w := range p.Desired.Workloads {
		m.snap.Workloads[w.Name] = w
	}
	for r, s := range p.Specs {
		m.snap.Specs[r] = s
	}
	m.snap.Outputs = map[string]fleet.Output{}
	for _, o := range p.Desired.Outputs {
		m.snap.Outputs[o.Name] = o
	}
	for _, h := range p.Hosts {
		m.snap.Hosts[h.Name] = state.Host{Host: h}
	}
}

// remote does what the step asks of its host.
func (m *model) remote(p *Plan, s *Step) {
	if s.Kind == KindRecord {
		return
	}
	h := m.host(s.Host)
	if h.silent {
		m.fail("a step on a silent host: %s", stepLine(s))
		return
	}
	var c *modelContainer
	if s.Container != nil {
		if c = h.containers[s.Container.ID]; c == nil && s.Kind != KindStop && s.Kind != KindRemove {
			m.fail("no such container: %s", stepLine(s))
			return
		}
	}
	switch s.Kind {
	case KindPull, KindSend:
		h.pulled[s.Image.Pin()] = true
		h.images[s.Image.Ref] = fleet.ObservedImage{Ref: s.Image.Ref, ID: "id-" + s.Image.Digest, Digests: []string{s.Image.Digest}, Created: time.Unix(1, 0)}
	case KindCreateNetwork:
		if owner, ok := h.networks[s.Network.Engine]; ok && owner != testFleet {
			m.fail("a stranger's network: %s", stepLine(s))
		}
		h.networks[s.Network.Engine] = testFleet
	case KindRemoveNetwork:
		if h.networks[s.Network.Engine] != testFleet {
			m.fail("not our network: %s", stepLine(s))
		}
		for _, c := range h.containers {
			if slices.Contains(c.Networks, s.Network.Engine) {
				m.fail("network in use by %s: %s", c.Name, stepLine(s))
			}
		}
		delete(h.networks, s.Network.Engine)
	case KindCreateVolume:
		if owner, ok := h.volumes[s.Volume.Engine]; ok && owner != testFleet {
			m.fail("a stranger's volume: %s", stepLine(s))
		}
		h.volumes[s.Volume.Engine] = testFleet
	case KindRemoveVolume:
		m.fail("a volume is deleted: %s", stepLine(s))
	case KindRun:
		m.run(p, s, h)
	case KindStart:
		if c.Phase != fleet.PhaseRunning {
			c.Phase, c.stale = fleet.PhaseRunning, false
		}
	case KindStop:
		if c != nil {
			c.Phase, c.ExitCode = fleet.PhaseExited, 0
		}
	case KindRemove:
		delete(h.containers, s.Container.ID)
	case KindUnpause:
		c.Phase = fleet.PhaseRunning
	case KindRename:
		c.Name = s.Container.Name
	case KindConnect:
		if _, ok := h.networks[s.Network.Engine]; !ok {
			m.fail("no such network: %s", stepLine(s))
		}
		c.Networks = append(slices.Clone(c.Networks), s.Network.Engine)
		slices.Sort(c.Networks)
	case KindDisconnect:
		c.Networks = slices.DeleteFunc(slices.Clone(c.Networks), func(n string) bool { return n == s.Network.Engine })
	case KindUpdate:
		if s.Limits.Memory == 0 && c.Limits.Memory != 0 {
			m.fail("a limit cannot be taken away: %s", stepLine(s))
		}
		c.Limits, c.Restart = *s.Limits, s.Restart
	case KindWriteFiles:
		m.write(c, p.Specs[s.Instance.Revision], s.Files)
	case KindSignal:
		c.stale = false
	default:
		m.fail("unknown step: %s", stepLine(s))
	}
}

func (m *model) write(c *modelContainer, spec fleet.Spec, paths []string) {
	for _, f := range spec.Files {
		if slices.Contains(paths, f.Path) {
			c.files[f.Path] = f.Content.Plain
			c.stale = c.stale || f.OnChange != "none" && c.Phase == fleet.PhaseRunning
		}
	}
}

// run makes and starts a container, where everything that it needs is there.
func (m *model) run(p *Plan, s *Step, h *modelHost) {
	i := s.Instance
	spec, ok := p.Specs[i.Revision]
	if !ok || spec.Digest() != i.Revision {
		m.fail("not the spec of its revision: %s", stepLine(s))
	}
	if g := m.generation(i.Replica); i.Generation <= g {
		m.fail("generation %d after %d: %s", i.Generation, g, stepLine(s))
	}
	if !h.pulled[spec.Image.Pin()] {
		m.fail("image %s is not there: %s", spec.Image.Pin(), stepLine(s))
	}
	for _, n := range spec.Networks {
		if h.networks[i.Networks[string(n)]] != testFleet {
			m.fail("network %s is not there: %s", n, stepLine(s))
		}
	}
	for _, mt := range spec.Mounts {
		if h.volumes[i.Volumes[mt.Target]] != testFleet {
			m.fail("volume %s is not there: %s", mt.Volume, stepLine(s))
		}
	}
	name := i.ContainerName()
	for _, o := range h.containers {
		if o.Name == name {
			m.fail("the name is taken: %s", stepLine(s))
		}
		for _, hp := range o.HostPorts {
			for _, port := range i.HostPorts {
				if o.Phase == fleet.PhaseRunning && hp.Host == port {
					m.fail("port %d is taken by %s: %s", port, o.Name, stepLine(s))
				}
			}
		}
	}
	m.ids++
	rec := state.Replica{Replica: i.Replica, Generation: i.Generation, Container: fmt.Sprintf("c%d", m.ids), Revision: i.Revision, HostPorts: i.HostPorts}
	c := &modelContainer{Container: container(rec, &spec), files: map[string]string{}}
	for _, f := range spec.Files {
		c.files[f.Path] = f.Content.Plain
	}
	c.Identity.Op = opOf(p, s)
	h.containers[c.ID] = c
}

// generation is the highest of a slot that is recorded or that a container on a host that answers has. A silent one
// may hold an old one of the same number; its host tells them apart.
func (m *model) generation(r fleet.ReplicaID) fleet.Generation {
	g := m.snap.Replicas[r].Generation
	for _, h := range m.hosts {
		for _, c := range h.containers {
			if c.Identity.Replica == r && !h.silent {
				g = max(g, c.Identity.Generation)
			}
		}
	}
	return g
}

func opOf(p *Plan, s *Step) fleet.OpID { return fleet.OpID(fmt.Sprintf("%s/%d", p.ID, s.ID)) }

// intend notes a step before it is sent.
func (m *model) intend(p *Plan, s *Step) {
	if s.Kind == KindRecord {
		return
	}
	in := state.Intent{Op: opOf(p, s), Plan: p.ID, Step: s.ID, Kind: string(s.Kind), Host: s.Host, Addr: s.Addr}
	if s.Instance != nil {
		in.Generation, in.Revision, in.Object = s.Instance.Generation, s.Instance.Revision, s.Instance.ContainerName()
	}
	m.snap.Intents = append(slices.Clone(m.snap.Intents), in)
}

// record writes what a finished step changes.
func (m *model) record(p *Plan, s *Step) {
	drop := append(slices.Clone(s.Record.DeleteIntents), opOf(p, s))
	m.snap.Intents = slices.DeleteFunc(slices.Clone(m.snap.Intents), func(i state.Intent) bool { return slices.Contains(drop, i.Op) })
	r := &s.Record
	if r.PutReplica != nil {
		rec := *r.PutReplica
		if s.Kind == KindRun {
			for id, c := range m.host(s.Host).containers {
				if c.Identity.Op == opOf(p, s) {
					rec.Container = id
				}
			}
		}
		m.snap.Replicas[rec.Replica] = rec
	}
	if r.DeleteReplica != nil {
		delete(m.snap.Replicas, *r.DeleteReplica)
	}
	sameVolume := func(v *state.Volume) func(state.Volume) bool {
		return func(o state.Volume) bool { return v != nil && o.Host == v.Host && o.Engine == v.Engine }
	}
	sameNetwork := func(v *state.Network) func(state.Network) bool {
		return func(o state.Network) bool { return v != nil && o.Host == v.Host && o.Engine == v.Engine }
	}
	for _, v := range []*state.Volume{r.PutVolume, r.DeleteVolume} {
		m.snap.Volumes = slices.DeleteFunc(slices.Clone(m.snap.Volumes), sameVolume(v))
	}
	for _, v := range []*state.Network{r.PutNetwork, r.DeleteNetwork} {
		m.snap.Networks = slices.DeleteFunc(slices.Clone(m.snap.Networks), sameNetwork(v))
	}
	if r.PutVolume != nil {
		m.snap.Volumes = append(m.snap.Volumes, *r.PutVolume)
	}
	if r.PutNetwork != nil {
		m.snap.Networks = append(m.snap.Networks, *r.PutNetwork)
	}
	if r.DeleteHost != "" {
		delete(m.snap.Hosts, r.DeleteHost)
	}
}

// running counts the slots of a workload that have a container which runs.
func (m *model) running(w fleet.WorkloadName) int {
	up := map[fleet.Slot]bool{}
	for _, h := range m.hosts {
		for _, c := range h.containers {
			if c.Identity.Replica.Workload == w && c.Phase == fleet.PhaseRunning {
				up[c.Identity.Replica.Slot] = true
			}
		}
	}
	return len(up)
}

// settled compares containers, records and what is wanted.
func (m *model) atRest(desired *fleet.Fleet) {
	want := map[fleet.ReplicaID]fleet.Revision{}
	specs := map[fleet.ReplicaID]fleet.Spec{}
	for _, w := range desired.Workloads {
		for n := range w.Replicas {
			r := fleet.ReplicaID{Workload: w.Name, Slot: fleet.Slot(n)}
			want[r], specs[r] = w.Spec.Digest(), w.Spec
		}
	}
	seen := map[fleet.ReplicaID]bool{}
	for n, h := range m.hosts {
		for id, c := range h.containers {
			r := c.Identity.Replica
			rec, ok := m.snap.Replicas[r]
			if !ok || seen[r] || rec.Container != id || rec.Host != n || rec.Revision != want[r] {
				m.fail("%s on %s is not as recorded (%+v) and wanted (%s)", c.Name, n, rec, want[r].Short())
			}
			seen[r] = true
			if c.Phase != fleet.PhaseRunning || c.stale || c.Limits != specs[r].Limits {
				m.fail("%s on %s is %s, stale %v, limits %+v", c.Name, n, c.Phase, c.stale, c.Limits)
			}
			for _, f := range specs[r].Files {
				if c.files[f.Path] != f.Content.Plain {
					m.fail("%s has %q in %s, wanted %q", c.Name, c.files[f.Path], f.Path, f.Content.Plain)
				}
			}
			if len(c.files) != len(specs[r].Files) {
				m.fail("%s has files %v", c.Name, c.files)
			}
		}
	}
	if len(seen) != len(want) || len(m.snap.Replicas) != len(want) {
		m.fail("%d containers, %d records, %d wanted", len(seen), len(m.snap.Replicas), len(want))
	}
	if len(m.snap.Intents) > 0 {
		m.fail("open intents: %+v", m.snap.Intents)
	}
}

// strangers checks that what is not ours was not touched.
func (m *model) strangers() {
	for n, h := range m.hosts {
		if _, ok := h.networks["theirs"]; !ok || h.volumes["theirs"] != "other" {
			m.fail("a stranger's network or volume on %s is gone", n)
		}
	}
}
