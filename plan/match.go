package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/internal/sim/bug"
	"github.com/stowage-run/stowage/state"
)

// Presence is what is known of a slot.
type Presence int

// What can be known of a slot.
const (
	Vacant  Presence = iota // recorded without a container, and none seen
	Seen                    // a container fills it
	Gone                    // recorded with a container that its host, which answered, does not have
	Unknown                 // recorded, or about to be filled, on a host that did not answer
)

// Holding is what fills one slot.
type Holding struct {
	Replica   fleet.ReplicaID
	Presence  Presence
	Host      fleet.HostName   // where it is; where it last was; with Unknown: where it is thought to be
	Record    *state.Replica   // nil: nothing is recorded of the slot
	Container *fleet.Container // with Seen
	Last      fleet.Generation // the highest that was used or tried: the next container gets a higher one
	Tried     *state.Intent    // of the run that tried Last and was cut off, where its host answers and has nothing of it; or nil
	Halfway   bool             // its files were being changed when a run was cut off: nobody knows what is in them
}

// Changing stands in a replica's record for its revision from the moment its files were written until what has to
// follow (a restart, a signal) is done. A container that is found like this is made anew: its files may be of
// either revision, and the configuration may have changed back meanwhile.
const Changing fleet.Revision = "changing"

// Recorded reports whether the record names exactly the container that was seen.
func (h *Holding) Recorded() bool {
	return h.Record != nil && h.Container != nil && h.Record.Container == h.Container.ID &&
		h.Record.Host == h.Host && h.Record.Generation == h.Container.Identity.Generation
}

// Revision is the revision of the spec that was last sent. A record of the container's generation knows best:
// the label is as old as the container, while limits and files change in place.
func (h *Holding) Revision() fleet.Revision {
	switch {
	case h.Container == nil && h.Record == nil:
		return ""
	case h.Container == nil, h.Record != nil && h.Record.Generation == h.Container.Identity.Generation:
		return h.Record.Revision
	}
	return h.Container.Identity.Revision
}

// HostPorts returns the host ports of a slot by port name: as recorded, and for a container that the record does not
// know as observed, with the names that the spec gives.
func (h *Holding) HostPorts(s *fleet.Spec) map[string]uint16 {
	if h.Record != nil && (h.Container == nil || h.Record.Generation == h.Container.Identity.Generation) {
		return h.Record.HostPorts
	}
	if h.Container == nil || s == nil {
		return nil
	}
	var m map[string]uint16
	for _, p := range s.Ports {
		for _, o := range h.Container.HostPorts {
			if p.Policy != fleet.PortInternal && o.Container == p.Container && o.Protocol == p.Protocol {
				if m == nil {
					m = map[string]uint16{}
				}
				m[p.Name] = o.Host
			}
		}
	}
	return m
}

// Leftover is a container of ours without a place: another one fills its slot, or a later one did.
type Leftover struct {
	Host      fleet.HostName
	Container *fleet.Container
}

// Interrupted is an intent that was never resolved: the run that made it was cut off.
type Interrupted struct {
	Intent    *state.Intent
	Known     bool             // its host answered: the observation tells how it ended
	Container *fleet.Container // that the intent made, or that stays after all: see Settle; nil: none is there
}

// Inventory is the observed fleet set against the recorded one.
type Inventory struct {
	Slots     []Holding     // of every slot recorded or seen, sorted by replica
	Leftovers []Leftover    // sorted by replica, generation, host
	Intents   []Interrupted // in the order of the snapshot
	Problems  diag.List     // what makes it unsafe to go on
}

// Slot returns what fills a slot, or nil where nothing is known of it.
func (v *Inventory) Slot(r fleet.ReplicaID) *Holding {
	i, ok := slices.BinarySearchFunc(v.Slots, r, func(h Holding, r fleet.ReplicaID) int { return h.Replica.Compare(r) })
	if !ok {
		return nil
	}
	return &v.Slots[i]
}

// Match sets what was observed against what is recorded: which container fills which slot, which have no place,
// and what became of the intents that a run left open.
//
// A host without an observation is unknown: what is recorded there stays as it is.
func Match(s *state.Snapshot, v fleet.View) Inventory {
	m := matcher{snap: s, view: v}
	m.records()
	m.observe()
	m.intents()
	slices.SortFunc(m.inv.Slots, func(a, b Holding) int { return a.Replica.Compare(b.Replica) })
	slices.SortFunc(m.inv.Leftovers, compareLeftovers)
	m.problems()
	return m.inv
}

type matcher struct {
	snap  *state.Snapshot
	view  fleet.View
	inv   Inventory
	index map[fleet.ReplicaID]int // into inv.Slots
}

// records makes a holding of each record, as if nothing had been seen.
func (m *matcher) records() {
	m.index = make(map[fleet.ReplicaID]int, len(m.snap.Replicas))
	m.inv.Slots = make([]Holding, 0, len(m.snap.Replicas))
	copies := make([]state.Replica, 0, len(m.snap.Replicas))
	// In order, as Match will want them: their names are cheaper to sort than all that is known of them.
	for _, id := range slices.SortedFunc(maps.Keys(m.snap.Replicas), fleet.ReplicaID.Compare) {
		copies = append(copies, m.snap.Replicas[id])
	}
	for i := range copies {
		r := &copies[i]
		h := Holding{Replica: r.Replica, Host: r.Host, Record: r, Last: max(r.Generation, r.Last), Halfway: r.Revision == Changing}
		_, known := m.view.Known(r.Host)
		switch {
		case r.Container == "":
			h.Presence = Vacant
		case known, bug.SilentIsEmpty:
			h.Presence = Gone
		default:
			h.Presence = Unknown
		}
		m.index[r.Replica] = len(m.inv.Slots)
		m.inv.Slots = append(m.inv.Slots, h)
	}
}

// slot returns the holding of a slot, made where there is none.
func (m *matcher) slot(r fleet.ReplicaID) *Holding {
	i, ok := m.index[r]
	if !ok {
		i = len(m.inv.Slots)
		m.index[r] = i
		m.inv.Slots = append(m.inv.Slots, Holding{Replica: r})
	}
	return &m.inv.Slots[i]
}

// observe puts each container of ours into its slot, or among the leftovers.
func (m *matcher) observe() {
	for _, host := range slices.Sorted(maps.Keys(m.view.Hosts)) {
		o, ok := m.view.Known(host)
		if !ok {
			continue
		}
		for i := range o.Containers {
			c := &o.Containers[i]
			if c.Identity.Fleet == m.snap.Meta.ID {
				m.put(host, c)
			}
		}
	}
}

// put gives a container its slot unless a better one has it.
func (m *matcher) put(host fleet.HostName, c *fleet.Container) {
	h := m.slot(c.Identity.Replica)
	h.Last = max(h.Last, c.Identity.Generation)
	if h.Record != nil && c.Identity.Generation < h.Record.Generation {
		m.inv.Leftovers = append(m.inv.Leftovers, Leftover{host, c})
		return
	}
	if h.Container != nil {
		if !better(h.Record, host, c, h.Host, h.Container) {
			m.inv.Leftovers = append(m.inv.Leftovers, Leftover{host, c})
			return
		}
		m.inv.Leftovers = append(m.inv.Leftovers, Leftover{h.Host, h.Container})
	}
	h.Presence, h.Host, h.Container = Seen, host, c
}

// better reports whether container a on host ha has more right to the slot than b on hb: the recorded one has the
// most, since it was proven; then the later one; then the one that runs.
func better(rec *state.Replica, ha fleet.HostName, a *fleet.Container, hb fleet.HostName, b *fleet.Container) bool {
	rank := func(h fleet.HostName, c *fleet.Container) int {
		switch {
		case rec == nil || c.Identity.Generation != rec.Generation || h != rec.Host:
			return 0
		case c.ID == rec.Container:
			return 2
		}
		return 1
	}
	running := func(c *fleet.Container) int {
		if c.Phase == fleet.PhaseRunning {
			return 1
		}
		return 0
	}
	return cmp.Or(rank(ha, a)-rank(hb, b),
		cmp.Compare(a.Identity.Generation, b.Identity.Generation),
		running(a)-running(b),
		cmp.Compare(hb, ha), cmp.Compare(b.ID, a.ID)) > 0
}

// intents finds out how what was cut off has ended.
func (m *matcher) intents() {
	for i := range m.snap.Intents {
		in := &m.snap.Intents[i]
		x := Interrupted{Intent: in}
		o, known := m.view.Known(in.Host)
		if x.Known = known; known {
			x.Container = m.made(o, in)
		}
		m.inv.Intents = append(m.inv.Intents, x)
		r, ok := in.Addr.Replica()
		switch {
		case ok && in.Kind == string(KindRun):
			m.tried(r, x)
		case ok && in.Kind == string(KindWriteFiles):
			m.slot(r).Halfway = true
		}
	}
}

// tried keeps an interrupted run's generation from being used for anything else: its request may still be on the way. On
// a host that does not answer, the container may well be there.
func (m *matcher) tried(r fleet.ReplicaID, x Interrupted) {
	h, in := m.slot(r), x.Intent
	if in.Generation > h.Last {
		h.Last, h.Tried = in.Generation, nil
		if x.Known && x.Container == nil {
			h.Tried = in
		}
	}
	if !x.Known && h.Presence == Vacant {
		h.Presence, h.Host = Unknown, in.Host
	}
}

// made returns the container that an intent is about.
func (m *matcher) made(o *fleet.Observation, in *state.Intent) *fleet.Container {
	if in.Kind != string(KindRun) {
		return nil
	}
	for i := range o.Containers {
		if c := &o.Containers[i]; c.Identity.Fleet == m.snap.Meta.ID && (c.Identity.Op == in.Op || c.Name == in.Object) {
			return c
		}
	}
	return nil
}

// problems finds what makes it unsafe to go on: one machine declared twice, and a state that was lost.
func (m *matcher) problems() {
	hosts := slices.Sorted(maps.Keys(m.view.Hosts))
	engines := map[string]fleet.HostName{}
	for _, h := range hosts {
		o, ok := m.view.Known(h)
		if !ok || o.Engine.ID == "" {
			continue
		}
		first, twice := engines[o.Engine.ID]
		if !twice {
			engines[o.Engine.ID] = h
			continue
		}
		m.inv.Problems = append(m.inv.Problems, diag.Diagnostic{
			Code:    diag.CodeSameMachine,
			Summary: "Two hosts are one machine",
			Detail: fmt.Sprintf("%s and %s are answered by the same engine (id %s). Its replicas would be counted twice.",
				fleet.HostAddr(first), fleet.HostAddr(h), o.Engine.ID),
			Remedy: "Declare the machine once. To rename a host: take it out of the file and apply, then add it under its new name.",
		})
	}
	if m.snap.Empty() && len(m.snap.Intents) == 0 {
		m.lost(hosts)
	}
}

// lost says so where hosts hold a fleet of our name that an empty state knows nothing of.
func (m *matcher) lost(hosts []fleet.HostName) {
	found := map[fleet.ID][]string{}
	count := map[fleet.ID]int{}
	for _, h := range hosts {
		o, ok := m.view.Known(h)
		if !ok {
			continue
		}
		note := func(id fleet.ID) {
			if n := found[id]; len(n) == 0 || n[len(n)-1] != string(h) {
				found[id] = append(found[id], string(h))
			}
			count[id]++
		}
		for i := range o.Containers {
			if o.Containers[i].Identity.Fleet == m.snap.Meta.ID {
				note(m.snap.Meta.ID)
			}
		}
		for _, f := range o.Foreign {
			if id := f.Identity; id.Fleet != "" && f.Name == fleet.ContainerName(m.snap.Meta.Name, id.Replica, id.Generation) {
				note(id.Fleet)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		m.inv.Problems = append(m.inv.Problems, diag.Diagnostic{
			Code:    diag.CodeStateLost,
			Summary: "Hosts hold a fleet that this state does not know",
			Detail: fmt.Sprintf("%s of fleet %s (%s) found on %s, and nothing is recorded here. Going on would make everything a second time.",
				number(count[id], "container"), m.snap.Meta.Name, id, strings.Join(found[id], ", ")),
			Remedy:   "stowage state rebuild",
			Affected: "Nothing was changed.",
		})
	}
}

// number counts things in words: "1 container", "3 containers".
func number(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
