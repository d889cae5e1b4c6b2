package reconcile

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
)

// A container that could not start because something that is no container holds its automatic port must get another:
// otherwise every further apply would fail the same way.
func TestAutoPortHeldBySomethingElseCountsAsTaken(t *testing.T) {
	f := &fleet.Fleet{Workloads: []fleet.Workload{{Name: "web", Spec: fleet.Spec{Ports: []fleet.Port{
		{Name: "http", Container: 80, Policy: fleet.PortAuto, Protocol: "tcp"},
		{Name: "admin", Container: 81, Policy: fleet.PortFixed, Host: 8081, Protocol: "tcp"},
	}}}}}
	c := fleet.Container{PortTaken: true, Phase: fleet.PhaseCreated, Identity: fleet.Identity{Replica: fleet.ReplicaID{Workload: "web"}},
		HostPorts: []fleet.PublishedPort{{Host: 20000, Container: 80, Protocol: "tcp"}, {Host: 8081, Container: 81, Protocol: "tcp"}}}
	foreign := fleet.PublishedPort{Host: 5000, Container: 1, Protocol: "tcp"}
	o := &fleet.Observation{Containers: []fleet.Container{c}, Foreign: []fleet.ForeignContainer{{HostPorts: []fleet.PublishedPort{foreign}}}}
	if diff := cmp.Diff([]fleet.PublishedPort{foreign, c.HostPorts[0]}, hostFacts(o, f).Taken); diff != "" {
		t.Errorf("after a refused start (-want +got):\n%s", diff)
	}
	o.Containers[0].Phase = fleet.PhaseRunning
	if diff := cmp.Diff([]fleet.PublishedPort{foreign}, hostFacts(o, f).Taken); diff != "" {
		t.Errorf("once it runs (-want +got):\n%s", diff)
	}
}
