package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
)

// finish sorts the fleet and checks what only the whole shows.
func (e *evaluation) finish() {
	f := e.out.Fleet
	e.placements()
	slices.SortFunc(f.Hosts, func(a, b fleet.Host) int { return strings.Compare(string(a.Name), string(b.Name)) })
	slices.SortFunc(f.Workloads, func(a, b fleet.Workload) int { return strings.Compare(string(a.Name), string(b.Name)) })
	slices.SortFunc(f.Volumes, func(a, b fleet.Volume) int { return strings.Compare(string(a.Name), string(b.Name)) })
	slices.SortFunc(f.Networks, func(a, b fleet.Network) int { return strings.Compare(string(a.Name), string(b.Name)) })
	slices.SortFunc(f.Outputs, func(a, b fleet.Output) int { return strings.Compare(a.Name, b.Name) })
	flat := map[string]fleet.Addr{}
	check := func(a fleet.Addr) {
		kind := a.Kind()
		if kind == fleet.KindJob {
			kind = fleet.KindWorkload // containers do not tell them apart
		}
		key := string(kind) + " " + fleet.Flat(a.Name())
		if first, ok := flat[key]; ok {
			e.collision(a, first, fmt.Sprintf("%s and %s are both called %q on the hosts, where brackets, quotes and signs cannot be part of a name.", first, a, fleet.Flat(a.Name())))
			return
		}
		flat[key] = a
	}
	for i := range f.Workloads {
		check(f.Workloads[i].Addr())
	}
	for _, v := range f.Volumes {
		check(fleet.VolumeAddr(v.Name))
	}
	for _, n := range f.Networks {
		check(fleet.NetworkAddr(n.Name))
	}
	e.replicaVolumes()
}

func (e *evaluation) collision(a, first fleet.Addr, detail string) {
	at := e.out.Ranges[a]
	detail += fmt.Sprintf(" The other is declared at %s.", e.out.Ranges[first])
	e.diags = append(e.diags, diag.Diagnostic{Code: diag.CodeDuplicate, Summary: "Names collide on the hosts", Subject: &at, Detail: detail, Remedy: "rename one of the two"})
}

// replicaVolumes finds a volume whose name is that of another's volume for one replica: data-web-0 beside
// per-replica data, mounted in web.
func (e *evaluation) replicaVolumes() {
	byName := map[string]fleet.VolumeName{}
	for _, v := range e.out.Fleet.Volumes {
		byName[fleet.Flat(string(v.Name))] = v.Name
	}
	for _, v := range e.out.Fleet.Volumes {
		if !v.PerReplica {
			continue
		}
		for _, w := range e.out.Fleet.Workloads {
			prefix := fleet.Flat(string(v.Name)) + "-" + fleet.Flat(string(w.Name)) + "-"
			mounts := slices.ContainsFunc(w.Spec.Mounts, func(m fleet.Mount) bool { return m.Volume == v.Name })
			for flat, other := range byName {
				rest, ok := strings.CutPrefix(flat, prefix)
				if _, err := strconv.ParseUint(rest, 10, 31); mounts && ok && err == nil {
					e.collision(fleet.VolumeAddr(other), fleet.VolumeAddr(v.Name),
						fmt.Sprintf("volume.%s has one volume for each replica of %s, and one of them is called %q on the hosts.", v.Name, w.Addr(), flat))
				}
			}
		}
	}
}
