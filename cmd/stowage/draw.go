package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/drawing"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/state"
)

// drawPlan is the stowage as it will be once the plan is carried out, with what it changes marked.
func drawPlan(p *plan.Plan) []byte {
	pic := drawing.Picture{
		Title: string(p.Name) + ", as planned", Subtitle: countsLine(p),
		GroupBy: groupLabel(p.Desired.Workloads, func(yield func(fleet.Host) bool) {
			for _, b := range p.Stowage.Hosts {
				if !yield(b.Host) {
					return
				}
			}
		}),
	}
	if len(p.WhatIf) > 0 {
		pic.Title = string(p.Name) + ", what if"
		pic.Subtitle = strings.Join(p.WhatIf, ", and ") + ". " + countsLine(p)
	}
	bays := map[fleet.HostName]*plan.Bay{}
	at := map[fleet.HostName]int{}
	for i := range p.Stowage.Hosts {
		b := &p.Stowage.Hosts[i]
		at[b.Host.Name], bays[b.Host.Name] = i, b
		h := holdOf(&b.Host, b.Capacity, pic.GroupBy)
		if b.Why != "" {
			h.Facts = append(h.Facts, b.Why)
		}
		switch {
		case b.Lost:
			h.State = drawing.Lost
		case b.Added:
			h.State = drawing.Added
		case !b.Known:
			h.State = drawing.Unreachable
		}
		pic.Holds = append(pic.Holds, h)
	}
	waits := waiting(p)
	for i := range p.Stowage.Berths {
		b := &p.Stowage.Berths[i]
		before, after := berthBoxes(b, bays)
		why, refused := waits[b.Replica]
		if refused && after != nil {
			if bays[b.Host].Lost { // it stands nowhere any more
				before, after = after, nil
				before.Mark, before.Other = drawing.Leaving, ""
			} else {
				after.Mark, after.Facts = drawing.Waiting, append(after.Facts, why...)
				delete(waits, b.Replica)
			}
		}
		if before != nil {
			pic.Holds[at[b.From]].Boxes = append(pic.Holds[at[b.From]].Boxes, *before)
		}
		if after != nil {
			pic.Holds[at[b.Host]].Boxes = append(pic.Holds[at[b.Host]].Boxes, *after)
		}
	}
	for r, why := range waits {
		w, _ := slices.BinarySearchFunc(p.Desired.Workloads, r.Workload, func(w fleet.Workload, n fleet.WorkloadName) int {
			return strings.Compare(string(w.Name), string(n))
		})
		box := drawing.Box{Replica: replicaName(r), Mark: drawing.Waiting, Facts: why}
		if w < len(p.Desired.Workloads) && p.Desired.Workloads[w].Name == r.Workload {
			box.Memory, box.CPU = p.Desired.Workloads[w].Reserve.Memory, p.Desired.Workloads[w].Reserve.CPU
		}
		pic.Quay = append(pic.Quay, box)
	}
	slices.SortFunc(pic.Quay, func(a, b drawing.Box) int { return strings.Compare(a.Replica, b.Replica) })
	return drawing.Draw(pic)
}

// waiting is the replicas without a place, and why.
func waiting(p *plan.Plan) map[fleet.ReplicaID][]string {
	waits := map[fleet.ReplicaID][]string{}
	for _, u := range p.Unplaced {
		for _, s := range u.Slots {
			waits[fleet.ReplicaID{Workload: u.Workload, Slot: s}] = u.Why
		}
	}
	return waits
}

// berthBoxes are a replica's box in the hold that it leaves and in the one where it will be; nil: there is none.
func berthBoxes(b *plan.Berth, bays map[fleet.HostName]*plan.Bay) (before, after *drawing.Box) {
	name := replicaName(b.Replica)
	var facts []string
	if b.Reason != "" {
		facts = []string{b.Reason}
	}
	health := healthOf(b.Seen, b.From == "" || bays[b.From] == nil || bays[b.From].Known)
	if from := bays[b.From]; from != nil && from.Lost {
		health = drawing.Unsaid
	}
	if b.From != "" && b.From != b.Host {
		before = &drawing.Box{Replica: name, Memory: b.Before.Memory, CPU: b.Before.CPU, Mark: drawing.Leaving, Other: string(b.Host),
			Health: health, Facts: facts}
	}
	if b.Host != "" {
		after = &drawing.Box{Replica: name, Memory: b.After.Memory, CPU: b.After.CPU, Facts: facts}
		switch {
		case b.From == b.Host:
			after.Health = health
			if b.Action != "" {
				after.Mark = drawing.Changing
			}
		case b.From != "":
			after.Mark, after.Other = drawing.Arriving, string(b.From)
		default:
			after.Mark = drawing.New
		}
	}
	return before, after
}

// drawStatus is the stowage as it is.
func drawStatus(snap *state.Snapshot, view fleet.View, r *statusReport) []byte {
	pic := drawing.Picture{Title: string(r.Fleet) + ", as it is"}
	if r.Release > 0 {
		pic.Subtitle = fmt.Sprintf("release %d", r.Release)
	}
	workloads := make([]fleet.Workload, 0, len(snap.Workloads))
	for _, n := range sortedKeys(snap.Workloads) {
		workloads = append(workloads, snap.Workloads[n])
	}
	pic.GroupBy = groupLabel(workloads, func(yield func(fleet.Host) bool) {
		for _, h := range snap.Hosts {
			if !yield(h.Host) {
				return
			}
		}
	})
	at, seen := map[fleet.HostName]int{}, map[fleet.HostName]map[string]*fleet.Container{}
	for i, n := range sortedKeys(snap.Hosts) {
		host := snap.Hosts[n].Host
		at[n] = i
		capacity := host.Capacity
		o, known := view.Known(n)
		if known {
			capacity, seen[n] = host.CapacityWith(o.Engine.Capacity), byID(o)
		}
		h := holdOf(&host, capacity, pic.GroupBy)
		if !known {
			h.State = drawing.Unreachable
			h.Facts = append(h.Facts, view.Hosts[n].Why)
		}
		pic.Holds = append(pic.Holds, h)
	}
	for _, row := range r.Replicas {
		i, ok := at[row.Host]
		id, isReplica := row.Addr.Replica()
		if !ok || !isReplica {
			continue
		}
		c := seen[row.Host][row.ID]
		reserve := snap.Workloads[id.Workload].Reserve
		b := drawing.Box{Replica: replicaName(id), Memory: reserve.Memory, CPU: reserve.CPU,
			Health: healthOf(c, seen[row.Host] != nil), Facts: []string{row.State, row.Detail}}
		pic.Holds[i].Boxes = append(pic.Holds[i].Boxes, b)
	}
	for _, s := range r.Strays {
		if i, ok := at[s.Host]; ok {
			pic.Holds[i].Boxes = append(pic.Holds[i].Boxes, drawing.Box{Replica: s.Name, Facts: []string{"not in the record"}})
		}
	}
	return drawing.Draw(pic)
}

func holdOf(h *fleet.Host, capacity fleet.Resources, label string) drawing.Hold {
	hold := drawing.Hold{Host: string(h.Name), Address: h.Address, Group: h.Labels[label], Capacity: capacity, Reserve: h.Reserve}
	for _, k := range sortedKeys(h.Labels) {
		hold.Facts = append(hold.Facts, k+"="+h.Labels[k])
	}
	switch {
	case h.Drain:
		hold.State = drawing.Drained
	case h.Cordon:
		hold.State = drawing.Cordoned
	}
	return hold
}

// healthOf says how a container does. known is whether its host answered.
func healthOf(c *fleet.Container, known bool) drawing.Health {
	switch {
	case !known:
		return drawing.Unknown
	case c == nil:
		return drawing.Stopped
	case c.Phase == fleet.PhaseRestarting, c.Phase == fleet.PhaseRunning && c.Health == "unhealthy":
		return drawing.Unhealthy
	case c.Phase != fleet.PhaseRunning:
		return drawing.Stopped
	case c.Health == "starting":
		return drawing.Starting
	}
	return drawing.Healthy
}

// groupLabel is the label to group hosts by: the first that workloads spread over, else zone; empty: no host has it.
func groupLabel(workloads []fleet.Workload, hosts func(func(fleet.Host) bool)) string {
	label := "zone"
	if i := slices.IndexFunc(workloads, func(w fleet.Workload) bool { return len(w.Placement.Spread) > 0 }); i >= 0 {
		label = workloads[i].Placement.Spread[0]
	}
	for h := range hosts {
		if _, ok := h.Labels[label]; ok {
			return label
		}
	}
	return ""
}

func replicaName(r fleet.ReplicaID) string { return r.Addr().Name() }

// countsLine sums the plan up in words that need no colour.
func countsLine(p *plan.Plan) string {
	if p.Empty() {
		return "No changes"
	}
	c := p.Counts()
	var parts []string
	for _, x := range []struct {
		n    int
		what string
	}{{c.Replace, "to replace"}, {c.Move, "to move"}, {c.Add, "to add"}, {c.Change, "to change"}, {c.Destroy, "to destroy"}} {
		if x.n > 0 || x.what != "to replace" && x.what != "to move" {
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.what))
		}
	}
	return "Plan: " + strings.Join(parts, ", ")
}
