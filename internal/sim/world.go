package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers/fake"
)

const (
	oneImage   = "example.com/one:1"
	otherImage = "example.com/other:1"
	stranger   = "stranger"
	theirs     = "theirs" // a stranger's volume and network
)

func hostNames() []fleet.HostName { return []fleet.HostName{"a", "b", "c", "d"} }

// newWorld makes the machines, each with something of a stranger's on it.
func newWorld() *fake.World {
	w := fake.NewWorld(time.Now, hostNames()...)
	for _, h := range w.Hosts() {
		h.AddPulled(oneImage, image("one"))
		h.AddPulled(otherImage, image("other"))
		h.AddForeign(fake.Foreign{Name: stranger, Volumes: []string{theirs}})
		h.AddNetwork(theirs, nil)
	}
	return w
}

// firstFleet is what is declared before anything changes. All of it is good.
func firstFleet(r *rand.Rand) *fleet.Fleet {
	f := &fleet.Fleet{Name: "shop"}
	for _, h := range hostNames()[:2+r.IntN(3)] {
		f.Hosts = append(f.Hosts, fleet.Host{Name: h, Address: string(h)})
	}
	f.Volumes = []fleet.Volume{{Name: "data", Driver: "local", PerReplica: true}}
	f.Networks = []fleet.Network{{Name: "app", Driver: "bridge"}}
	for _, name := range []fleet.WorkloadName{"api", "db", "web"}[r.IntN(3):] {
		f.Workloads = append(f.Workloads, firstWorkload(r, name, len(f.Hosts)))
	}
	return f
}

func firstWorkload(r *rand.Rand, name fleet.WorkloadName, hosts int) fleet.Workload {
	w := fleet.Workload{
		Name: name, Mode: fleet.Replicated, Replicas: 1 + r.IntN(6), PullPolicy: fleet.PullMissing, StopTimeout: 10 * time.Second,
		Spec: fleet.Spec{
			Image: fleet.Image{Ref: oneImage}, Restart: fleet.RestartAlways, Env: map[string]fleet.Text{behaviour: {Plain: good + "-0"}},
			Ports: []fleet.Port{{Name: "http", Container: 80, Policy: fleet.PortAuto, Protocol: "tcp"}},
		},
		Health: fleet.Healthcheck{Kind: fleet.CheckTCP, Port: "http", Interval: time.Duration(1+r.IntN(4)) * time.Second, Timeout: 2 * time.Second, Retries: 1 + r.IntN(3)},
		Update: someUpdate(r),
	}
	if name == "db" {
		w.Replicas = 1 + r.IntN(3)
		w.Exclusive = r.IntN(2) == 0
		w.Spec.Networks = []fleet.NetworkName{"app"}
		if r.IntN(2) == 0 {
			w.Spec.Mounts = []fleet.Mount{{Target: "/data", Kind: fleet.MountVolume, Volume: "data"}}
		}
	}
	if r.IntN(6) == 0 {
		fixPort(&w, hosts)
	}
	return w
}

// fixPort gives a workload a port that only one replica of a host can have.
func fixPort(w *fleet.Workload, hosts int) {
	w.Spec.Ports = slices.Clone(w.Spec.Ports)
	w.Spec.Ports[0].Policy, w.Spec.Ports[0].Host = fleet.PortFixed, uint16(8000+int(w.Name[0]))
	w.Replicas = min(w.Replicas, hosts)
}

// someUpdate is any policy that the language allows.
func someUpdate(r *rand.Rand) fleet.Update {
	amount := func(upTo int) fleet.Amount {
		if r.IntN(4) == 0 {
			return fleet.Amount{N: []int{25, 34, 50}[r.IntN(3)], Percent: true}
		}
		return fleet.Amount{N: r.IntN(upTo + 1)}
	}
	u := fleet.Update{
		Strategy: []fleet.UpdateStrategy{"", "", "", "", fleet.UpdateRolling, fleet.UpdateRolling, fleet.UpdateBlueGreen, fleet.UpdateRecreate}[r.IntN(8)],
		Order:    []fleet.UpdateOrder{fleet.StartFirst, fleet.StopFirst}[r.IntN(2)],

		MaxParallel: amount(3), MaxSurge: amount(2), MaxUnavailable: amount(2),
		MinHealthyTime: time.Duration(1+r.IntN(5)) * time.Second, HealthyDeadline: time.Duration(25+r.IntN(20)) * time.Second,
		OnFailure: []fleet.OnFailure{"", "", "", "", "", fleet.FailureRollback, fleet.FailurePause, fleet.FailureContinue}[r.IntN(8)],
	}
	if u.MaxSurge.N == 0 && u.MaxUnavailable.N == 0 {
		u.MaxSurge.N = 1
	}
	if r.IntN(6) == 0 && u.Strategy != fleet.UpdateBlueGreen && u.Strategy != fleet.UpdateRecreate {
		u.Canary, u.AutoPromote = 1+r.IntN(2), r.IntN(2) == 0
	}
	return u
}

// cloned copies a fleet as far as changes touch it.
func cloned(f *fleet.Fleet) *fleet.Fleet {
	g := *f
	g.Hosts, g.Workloads = slices.Clone(f.Hosts), slices.Clone(f.Workloads)
	return &g
}

// sketch is a fleet in a line, for traces.
func sketch(f *fleet.Fleet) string {
	var s string
	for _, h := range f.Hosts {
		s += fmt.Sprintf("%s%s ", h.Name, map[[2]bool]string{{true, false}: "(cordon)", {false, true}: "(drain)", {true, true}: "(both)"}[[2]bool{h.Cordon, h.Drain}])
	}
	for _, w := range f.Workloads {
		u := w.Update
		s += fmt.Sprintf("| %s x%d %s %s ", w.Name, w.Replicas, w.Spec.Env[behaviour].Plain, w.Spec.Image.Ref)
		if w.Exclusive {
			s += "exclusive "
		}
		if len(w.Spec.Mounts) > 0 {
			s += "volume "
		}
		s += fmt.Sprintf("%s port, %s %s parallel %s surge %s unavailable %s", w.Spec.Ports[0].Policy, u.Strategy, u.Order, u.MaxParallel, u.MaxSurge, u.MaxUnavailable)
		if u.Canary > 0 {
			s += fmt.Sprintf(" canary %d auto %v", u.Canary, u.AutoPromote)
		}
		s += fmt.Sprintf(" else %s ", u.OnFailure)
	}
	return s
}
