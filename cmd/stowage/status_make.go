package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// makeStatus joins what is recorded with what was seen.
func makeStatus(snap *state.Snapshot, view fleet.View) *statusReport {
	r := &statusReport{FormatVersion: "1.0", Fleet: snap.Meta.Name, ID: snap.Meta.ID, Release: snap.Release,
		Hosts: []hostStatus{}, Workloads: []workloadStatus{}, Replicas: []replicaStatus{}, Debts: snap.Debts, Intents: snap.Intents,
		Rollouts: rolloutRows(snap)}
	seen := map[fleet.HostName]map[string]*fleet.Container{}
	for _, n := range sortedKeys(view.Hosts) {
		if o, ok := view.Known(n); ok {
			seen[n] = byID(o)
		}
	}
	running, old, used := map[fleet.WorkloadName]int{}, map[fleet.WorkloadName]int{}, map[string]bool{}
	ids := make([]fleet.ReplicaID, 0, len(snap.Replicas))
	for id := range snap.Replicas {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, fleet.ReplicaID.Compare)
	load := map[fleet.HostName]*hostStatus{}
	for _, n := range sortedKeys(snap.Hosts) {
		load[n] = hostRow(snap.Hosts[n], view.Hosts[n])
	}
	for _, id := range ids {
		rec := snap.Replicas[id]
		row := replicaRow(snap, rec, seen[rec.Host])
		used[rec.Container] = true
		r.Replicas = append(r.Replicas, row)
		if row.State == string(fleet.PhaseRunning) || row.State == completed {
			running[id.Workload]++
		}
		if w := snap.Workloads[id.Workload]; w.Spec.Digest() != rec.Revision {
			old[id.Workload]++
		}
		if h := load[rec.Host]; h != nil {
			h.Replicas++
			h.Reserved = h.Reserved.Add(snap.Workloads[id.Workload].Reserve)
		}
	}
	for _, n := range sortedKeys(load) {
		r.Hosts = append(r.Hosts, *load[n])
	}
	for _, n := range sortedKeys(snap.Workloads) {
		w := snap.Workloads[n]
		wanted := w.Replicas
		if w.Mode == fleet.Global {
			wanted = countOf(ids, n)
		}
		r.Workloads = append(r.Workloads, workloadStatus{n, running[n], wanted, w.Spec.Image.Ref, old[n], w.Job != nil})
	}
	for _, n := range sortedKeys(seen) {
		for _, id := range sortedKeys(seen[n]) {
			if !used[id] {
				r.Strays = append(r.Strays, strayStatus{seen[n][id].Name, n})
			}
		}
	}
	return r
}

func byID(o *fleet.Observation) map[string]*fleet.Container {
	m := make(map[string]*fleet.Container, len(o.Containers))
	for i := range o.Containers {
		m[o.Containers[i].ID] = &o.Containers[i]
	}
	return m
}

func countOf(ids []fleet.ReplicaID, n fleet.WorkloadName) (count int) {
	for _, id := range ids {
		if id.Workload == n {
			count++
		}
	}
	return count
}

func hostRow(h state.Host, s fleet.Sighting) *hostStatus {
	row := &hostStatus{Name: h.Host.Name, Address: h.Host.Address, Why: s.Why}
	if o := s.Observation; o != nil {
		row.Answers = true
		row.Engine = strings.TrimSpace(o.Engine.Kind + " " + o.Engine.Version)
		capacity := o.Engine.Capacity
		if h.Host.Capacity.CPU > 0 {
			capacity.CPU = h.Host.Capacity.CPU
		}
		if h.Host.Capacity.Memory > 0 {
			capacity.Memory = h.Host.Capacity.Memory
		}
		capacity = capacity.Sub(h.Host.Reserve)
		row.Capacity = &capacity
	}
	return row
}

// completed is the state of a run of a job that has ended as it should. It says so whatever becomes of its container.
const completed = "completed"

// replicaRow says how one replica is. seen is nil where its host did not answer.
func replicaRow(snap *state.Snapshot, rec state.Replica, seen map[string]*fleet.Container) replicaStatus {
	row := replicaStatus{Addr: rec.Replica.Addr(), Host: rec.Host, Ports: rec.HostPorts, ID: rec.Container, Revision: rec.Revision,
		Container: fleet.ContainerName(snap.Meta.Name, rec.Replica, rec.Generation)}
	c := seen[rec.Container]
	w, declared := snap.Workloads[rec.Replica.Workload]
	if _, hook := rec.Replica.Slot.Hook(); declared && !hook {
		row.Addr = rec.Replica.AddrOf(w.Addr())
	}
	if w.Job != nil && rec.Proven {
		row.State = completed
		if c == nil && seen != nil {
			row.Detail = "its container is gone"
		}
		return row
	}
	switch {
	case seen == nil:
		row.State, row.Detail = "unknown", "its host could not be asked"
	case rec.Container == "":
		row.State, row.Detail = "vacant", "its container was removed and the next was not made yet"
	case c == nil:
		row.State, row.Detail = "missing", "its container is gone"
	default:
		row.State, row.Since, row.Restarts = string(c.Phase), c.Started, c.Restarts
		row.Detail = containerDetail(c)
	}
	return row
}

func containerDetail(c *fleet.Container) string {
	var parts []string
	if c.Phase == fleet.PhaseExited || c.Phase == fleet.PhaseRestarting {
		parts = append(parts, fmt.Sprintf("exit status %d", c.ExitCode))
	}
	if c.OOMKilled {
		parts = append(parts, "out of memory")
	}
	if c.Health != "" {
		parts = append(parts, c.Health)
	}
	if c.Restarts > 0 {
		parts = append(parts, fmt.Sprintf("restarted %d times", c.Restarts))
	}
	if c.Error != "" {
		parts = append(parts, c.Error)
	}
	return strings.Join(parts, ", ")
}
