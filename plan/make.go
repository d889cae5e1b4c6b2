package plan

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// Input is all that a plan depends on. Make changes none of it.
type Input struct {
	Desired    *fleet.Fleet    // with images pinned, see Pin
	Snapshot   *state.Snapshot // what is recorded; its Meta is set
	View       fleet.View      // what was observed
	Inventory  Inventory       // of these two, see Match
	Assignment fleet.Assignment
	Survival   *fleet.Survival  // of the assignment; nil: not asked
	Held       []Held           // from Hold
	Overrides  []state.Override // that are in force in Desired
	Ended      []Ended          // that no longer are
	Images     []ImageNote      // from Pin
	Answers    Answers          // that Pin was given
	Options    Options
}

// Options is what a plan is asked to be.
type Options struct {
	ID   string // UUID of the plan
	Tool string // version of Stowage
	Now  time.Time
	Mode Mode // empty: Normal

	Targets  []fleet.Addr // nothing but these and what they depend on; empty: everything
	Excludes []fleet.Addr // not these and what depends on them
	Replaces []fleet.Addr // replaced even where nothing changed
	Volumes  bool         // with Destroy: volumes too, and their data

	ReplaceWhy string // the reason of Replaces, for people; empty: that they were asked for

	WhatIf *WhatIf // nil: the plan is meant

	Stowage bool // fill in Plan.Stowage

	Config    string                     // digest of the configuration
	Variables map[string]json.RawMessage // that it was evaluated with, without sensitive ones
	Judge     *Judge                     // nil: Docker()
}

// WhatIf is what is supposed in a plan that only answers a question. The desired fleet and the view are as supposed
// already.
type WhatIf struct {
	Lost  []fleet.HostName // whose replicas go elsewhere, though nobody can take them away there
	Added []fleet.HostName // that do not exist
	Text  []string         // what is supposed, for people
}

// Make compares the desired fleet with what is recorded and observed, and returns the steps from one to the other.
// Where the diagnostics hold an error there is no plan. Warnings are in the plan as well.
func Make(in Input) (*Plan, diag.List) {
	if in.Inventory.Problems.HasErrors() {
		return nil, in.Inventory.Problems
	}
	m := newMaker(in)
	if m.selected(); m.diags.HasErrors() {
		return nil, m.diags
	}
	m.workloads()
	m.seats()
	m.refusals()
	if m.diags.HasErrors() {
		return nil, m.diags
	}
	if m.opt.Mode == RefreshOnly {
		m.refresh()
	} else {
		m.decideAll()
		m.build()
	}
	m.finish()
	m.stowage()
	if m.diags.HasErrors() {
		return nil, m.diags
	}
	return m.plan, m.diags
}

// maker holds what is known while one plan is made.
type maker struct {
	in    *Input
	opt   *Options
	judge Judge
	snap  *state.Snapshot
	plan  *Plan
	diags diag.List
	sel   selection

	hosts  map[fleet.HostName]*host
	works  []*work // by name
	byName map[fleet.WorkloadName]*work
	slots  []slot // by replica
	deltas map[[2]fleet.Revision]*delta
	ops    map[*fleet.Container][]fleet.OpID // intents to drop once the container is dealt with

	recorded      map[objectKey]bool              // volumes and networks
	pinIDs        map[fleet.Image]map[string]bool // the engines' ids of a pinned image
	imageProblems map[string]bool                 // reported

	waits     map[fleet.ReplicaID]bool   // without a place; what stands of it is left alone
	displaced map[fleet.ReplicaID]string // likewise, but it has to make room: why

	hooks map[fleet.Revision]fleet.Spec // of the hooks that steps run

	builder
}

// objectKey names a volume or network on a host.
type objectKey struct {
	kind   string
	host   fleet.HostName
	engine string
}

// host is what is known of one host, declared or not.
type host struct {
	fleet.Host
	declared bool
	recorded bool
	lost     bool               // supposed to be
	obs      *fleet.Observation // nil: silent
	why      string             // with nil: why
	owed     []string

	volumes  map[string]*fleet.ObservedVolume
	networks map[string]*fleet.ObservedNetwork

	volumeStep  map[string]int // by name on the engine; -1: it is there
	networkStep map[string]int
	imageStep   map[string]int // by pin
	freed       map[hostPort]int
	removes     []int // of containers
	leaves      []int // those of them that make room
	stays       bool  // something of ours is on it once the plan is carried out
}

func (h *host) known() bool { return h.obs != nil }

// work is one workload, declared or only recorded.
type work struct {
	name     fleet.WorkloadName
	addr     fleet.Addr
	want     *fleet.Workload // nil: not declared, or to be destroyed
	old      *fleet.Workload // as recorded
	rev      fleet.Revision  // of want
	networks map[string]string
	slots    []slot  // part of maker.slots
	needs    []*work // that it depends on
	needed   []*work // that depend on it

	before  []int // what the first disruption waits for: new replicas, restarts, images
	ready   []int // after which it is as wanted
	barrier int   // stands for ready; -1: not made
	last    int   // of the chain of disruptions; -1: none
	heads   []int // with which that begins
	gone    []int // removals
	removed int   // stands for gone; -1: not made
	emitted bool
	waits   bool // what is not a canary waits for a promotion
	blocked bool // it waits for a job that this plan does not run

	pre    int      // what every change of it waits for: a hook; -1: nothing
	hooked []string // its hooks, and where each runs

	most   int    // slots in one batch
	starts int    // slots whose new container starts first
	forced string // what keeps others from that
}

// stopTimeout is how long a container of the workload may take to stop.
func (w *work) stopTimeout() time.Duration {
	switch {
	case w.want != nil:
		return w.want.StopTimeout
	case w.old != nil:
		return w.old.StopTimeout
	}
	return 10 * time.Second // Docker's own, where nothing is known
}

func newMaker(in Input) *maker {
	m := &maker{
		in: &in, opt: &in.Options, snap: in.Snapshot, judge: Docker(),
		hosts:  map[fleet.HostName]*host{},
		byName: map[fleet.WorkloadName]*work{},
		deltas: map[[2]fleet.Revision]*delta{},
		ops:    map[*fleet.Container][]fleet.OpID{},

		recorded: map[objectKey]bool{}, pinIDs: map[fleet.Image]map[string]bool{}, imageProblems: map[string]bool{},
		waits: map[fleet.ReplicaID]bool{}, displaced: map[fleet.ReplicaID]string{},
	}
	for _, v := range m.snap.Volumes {
		m.recorded[objectKey{"volume", v.Host, v.Engine}] = true
	}
	for _, n := range m.snap.Networks {
		m.recorded[objectKey{"network", n.Host, n.Engine}] = true
	}
	if m.opt.Mode == "" {
		m.opt.Mode = Normal
	}
	if m.opt.Judge != nil {
		m.judge = *m.opt.Judge
	}
	m.plan = &Plan{
		Format: Format, ID: m.opt.ID, Tool: m.opt.Tool, Fleet: m.snap.Meta.ID, Name: m.snap.Meta.Name,
		Mode: m.opt.Mode, Created: m.opt.Now, Config: m.opt.Config, Variables: m.opt.Variables,
		Release: m.snap.Release + 1, Specs: map[fleet.Revision]fleet.Spec{},
		Held: in.Held, Overrides: in.Overrides, Ended: in.Ended, Loads: in.Assignment.Loads, Survival: in.Survival,
	}
	m.addHosts()
	if w := m.opt.WhatIf; w != nil {
		m.plan.WhatIf = w.Text
		for _, n := range w.Lost {
			m.host(n).lost = true
		}
	}
	return m
}

// addHosts collects every host that is declared, recorded or was looked at.
func (m *maker) addHosts() {
	for n, r := range m.snap.Hosts {
		m.hosts[n] = &host{Host: r.Host, recorded: true}
	}
	for _, h := range m.in.Desired.Hosts {
		_, recorded := m.snap.Hosts[h.Name]
		m.hosts[h.Name] = &host{Host: h, declared: true, recorded: recorded}
	}
	for n, s := range m.in.View.Hosts {
		h := m.host(n)
		h.obs, h.why = s.Observation, s.Why
	}
}

// host returns what is known of a host; of one that nobody knows, that it is silent.
func (m *maker) host(n fleet.HostName) *host {
	h := m.hosts[n]
	if h == nil {
		h = &host{Host: fleet.Host{Name: n}}
		m.hosts[n] = h
	}
	return h
}

// hostNames returns all hosts, sorted.
func (m *maker) hostNames() []fleet.HostName { return slices.Sorted(maps.Keys(m.hosts)) }

// workloads collects what is declared and what is only recorded or seen.
func (m *maker) workloads() {
	if m.opt.Mode != Destroy {
		for i := range m.in.Desired.Workloads {
			d := &m.in.Desired.Workloads[i]
			w := m.work(d.Name)
			w.want, w.rev = d, d.Spec.Digest()
			for _, n := range d.Spec.Networks {
				if w.networks == nil {
					w.networks = map[string]string{}
				}
				w.networks[string(n)] = fleet.NetworkOn(m.plan.Name, n)
			}
		}
	}
	for n, old := range m.snap.Workloads {
		m.work(n).old = &old
	}
	for i := range m.in.Inventory.Slots {
		m.work(m.in.Inventory.Slots[i].Replica.Workload)
	}
	for _, w := range m.works {
		if w.wasJob() {
			w.addr = fleet.JobAddr(w.name)
		}
	}
	for i := range m.in.Inventory.Leftovers {
		m.work(m.in.Inventory.Leftovers[i].Container.Identity.Replica.Workload)
	}
}

// work returns what is known of a workload.
func (m *maker) work(n fleet.WorkloadName) *work {
	w := m.byName[n]
	if w == nil {
		w = &work{name: n, addr: fleet.WorkloadAddr(n), barrier: -1, last: -1, removed: -1, pre: -1}
		m.byName[n] = w
		m.works = append(m.works, w)
	}
	return w
}

// seats puts together what fills each slot and where it is wanted.
func (m *maker) seats() {
	placed := m.in.Assignment.Placed
	if m.opt.Mode == Destroy {
		placed = nil
	}
	byReplica := func(a, b fleet.Placed) int { return a.Replica.Compare(b.Replica) }
	if !slices.IsSortedFunc(placed, byReplica) {
		placed = slices.SortedFunc(slices.Values(placed), byReplica)
	}
	have := m.in.Inventory.Slots
	m.slots = make([]slot, 0, max(len(have), len(placed)))
	for len(have) > 0 || len(placed) > 0 {
		s := slot{end: -1, gate: -1}
		c := -1
		switch {
		case len(have) == 0:
			c = 1
		case len(placed) > 0:
			c = have[0].Replica.Compare(placed[0].Replica)
		}
		if c <= 0 {
			s.id, s.have, have = have[0].Replica, &have[0], have[1:]
		}
		if c >= 0 {
			s.id, s.place, placed = placed[0].Replica, &placed[0], placed[1:]
		}
		m.slots = append(m.slots, s)
	}
	for lo := 0; lo < len(m.slots); {
		w := m.work(m.slots[lo].id.Workload)
		hi := lo
		for ; hi < len(m.slots) && m.slots[hi].id.Workload == m.slots[lo].id.Workload; hi++ {
			m.slots[hi].work = w
		}
		w.slots = m.slots[lo:hi]
		lo = hi
	}
	slices.SortFunc(m.works, func(a, b *work) int { return compareText(a.name, b.name) })
}

func compareText[T ~string](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
