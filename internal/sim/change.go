package sim

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/stowage-run/stowage/fleet"
)

// edit is what a person changes in the configuration.
type edit struct {
	said string
	do   func(r *rand.Rand, f *fleet.Fleet, w *fleet.Workload, n int)
}

// edits are the changes that people make; one that stands there twice is made more often.
func edits() []edit {
	return []edit{
		{"env", newEnv}, {"env", newEnv}, {"env", newEnv}, {"env", newEnv}, {"env", newEnv},
		{"image", func(_ *rand.Rand, _ *fleet.Fleet, w *fleet.Workload, _ int) {
			w.Spec.Image.Ref = map[string]string{oneImage: otherImage, otherImage: oneImage}[w.Spec.Image.Ref]
		}},
		{"replicas", newNumber}, {"replicas", newNumber},
		{"update", func(r *rand.Rand, _ *fleet.Fleet, w *fleet.Workload, _ int) { w.Update = someUpdate(r) }},
		{"limits", func(r *rand.Rand, _ *fleet.Fleet, w *fleet.Workload, _ int) {
			w.Spec.Limits.Memory = fleet.Bytes(1+r.IntN(3)) * fleet.GiB
		}},
		{"port", func(_ *rand.Rand, f *fleet.Fleet, w *fleet.Workload, _ int) {
			if w.Spec.Ports[0].Policy == fleet.PortAuto {
				fixPort(w, len(f.Hosts))
				return
			}
			w.Spec.Ports = []fleet.Port{{Name: "http", Container: 80, Policy: fleet.PortAuto, Protocol: "tcp"}}
		}},
		{"exclusive", func(_ *rand.Rand, _ *fleet.Fleet, w *fleet.Workload, _ int) { w.Exclusive = !w.Exclusive }},
		{"drain", func(r *rand.Rand, f *fleet.Fleet, _ *fleet.Workload, _ int) {
			h := &f.Hosts[r.IntN(len(f.Hosts))]
			h.Drain = !h.Drain
		}},
		{"cordon", func(r *rand.Rand, f *fleet.Fleet, _ *fleet.Workload, _ int) {
			h := &f.Hosts[r.IntN(len(f.Hosts))]
			h.Cordon = !h.Cordon
		}},
		{"hosts", newHosts},
		{"nothing", func(*rand.Rand, *fleet.Fleet, *fleet.Workload, int) {}},
	}
}

func newEnv(r *rand.Rand, _ *fleet.Fleet, w *fleet.Workload, n int) {
	what := []string{good, good, good, good, slow, never, exits, dies, flaps}[r.IntN(9)]
	w.Spec.Env = maps.Clone(w.Spec.Env)
	w.Spec.Env[behaviour] = fleet.Text{Plain: fmt.Sprintf("%s-%d", what, n)}
}

func newNumber(r *rand.Rand, f *fleet.Fleet, w *fleet.Workload, _ int) {
	w.Replicas = r.IntN(7)
	if w.Spec.Ports[0].Policy == fleet.PortFixed {
		w.Replicas = min(w.Replicas, len(f.Hosts))
	}
}

// newHosts takes a host out of the configuration, or adds one.
func newHosts(r *rand.Rand, f *fleet.Fleet, _ *fleet.Workload, _ int) {
	h := hostNames()[r.IntN(len(hostNames()))]
	if i := slices.IndexFunc(f.Hosts, func(x fleet.Host) bool { return x.Name == h }); i < 0 {
		f.Hosts = append(f.Hosts, fleet.Host{Name: h, Address: string(h)})
		slices.SortFunc(f.Hosts, func(a, b fleet.Host) int { return int(a.Name[0]) - int(b.Name[0]) })
	} else if len(f.Hosts) > 2 {
		f.Hosts = slices.Delete(f.Hosts, i, i+1)
	}
}

// changed is the fleet after the n-th change of mind, and what was changed.
func changed(r *rand.Rand, f *fleet.Fleet, n int) (*fleet.Fleet, string) {
	g, said := cloned(f), ""
	all := edits()
	for range 1 + r.IntN(2) {
		e := all[r.IntN(len(all))]
		w := &g.Workloads[r.IntN(len(g.Workloads))]
		e.do(r, g, w, n)
		said += e.said + " "
	}
	return g, said
}
