package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// openReplicas opens a session for the replicas that a person names. The session is open where the error is nil.
func (a *app) openReplicas(ctx context.Context, arg string) (*session, *state.Snapshot, []state.Replica, error) {
	s, err := a.openSession(ctx, &a.vars)
	if err != nil {
		return nil, nil, nil, err
	}
	snap, err := s.recorded(ctx)
	if err == nil {
		var found []state.Replica
		if found, err = findReplicas(snap, arg); err == nil {
			return s, snap, found, nil
		}
	}
	s.close()
	return nil, nil, nil, err
}

// findReplicas returns the recorded replicas that a person means by "web", "web[2]" or the full address, in order.
func findReplicas(snap *state.Snapshot, arg string) ([]state.Replica, error) {
	name := strings.TrimPrefix(strings.TrimPrefix(arg, "workload."), "job.")
	var out []state.Replica
	for id, r := range snap.Replicas {
		if r.Container != "" && fleet.WorkloadAddr(fleet.WorkloadName(name)).Covers(id.Addr()) {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil, noSuchReplica(snap, arg)
	}
	slices.SortFunc(out, func(a, b state.Replica) int { return a.Replica.Compare(b.Replica) })
	return out, nil
}

func noSuchReplica(snap *state.Snapshot, arg string) error {
	names := map[fleet.WorkloadName]int{}
	for id := range snap.Replicas {
		names[id.Workload]++
	}
	var have []string
	for _, n := range sortedKeys(names) {
		have = append(have, fmt.Sprintf("%s (%d)", n, names[n]))
	}
	d := diag.Diagnostic{Code: diag.CodeNoSuch, Summary: "No such replica",
		Detail: fmt.Sprintf("Nothing that runs is recorded under %q.", arg), Remedy: "stowage status"}
	if len(have) > 0 {
		d.Detail += " Recorded are: " + strings.Join(have, ", ") + "."
	}
	return d
}

// hostOf returns how a replica's host is reached, by the record.
func hostOf(snap *state.Snapshot, n fleet.HostName) (fleet.Host, error) {
	h, ok := snap.Hosts[n]
	if !ok {
		return fleet.Host{}, diag.Diagnostic{Code: diag.CodeStateMissing, Summary: "The record does not know the host",
			Detail: fmt.Sprintf("A replica is recorded on host %q, and how that host is reached is not recorded.", n), Remedy: "stowage apply"}
	}
	return h.Host, nil
}
