package plan

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// benchWorld is n replicas of ten workloads on a hundred hosts; recorded and observed where running is true.
func benchWorld(n int, running bool) Input {
	w := newWorld()
	for i := range 100 {
		h := fleet.Host{Name: fleet.HostName(fmt.Sprintf("web%03d", i)), Address: "10.0.0.1"}
		w.desired.Hosts = append(w.desired.Hosts, h)
		w.observed(h.Name).Images = []fleet.ObservedImage{{Ref: "app:1", ID: "i1", Created: time.Unix(1, 0)}}
	}
	w.desired.Networks = []fleet.Network{{Name: "app", Driver: "bridge"}}
	var a fleet.Assignment
	for k := range 10 {
		wl, err := parseWorkload([]string{fmt.Sprintf("web%d", k), "image=app:1#i1", "env.A=1", "net=app", "port.http=80:auto", "memory=256MiB"})
		if err != nil {
			panic(err)
		}
		wl.Replicas = n / 10
		w.desired.Workloads = append(w.desired.Workloads, wl)
		rev := wl.Spec.Digest()
		for i := range wl.Replicas {
			r := fleet.ReplicaID{Workload: wl.Name, Slot: fleet.Slot(i)}
			p := fleet.Placed{
				Replica: r, Host: w.desired.Hosts[(i+k)%100].Name, Reason: "new",
				HostPorts: map[string]uint16{"http": uint16(20000 + k*1000 + i/100)},
			}
			a.Placed = append(a.Placed, p)
			if !running {
				continue
			}
			rec := state.Replica{
				Replica: r, Host: p.Host, Generation: 1, Container: fmt.Sprintf("c%d-%d", k, i), Revision: rev, HostPorts: p.HostPorts, Release: 1,
			}
			w.snap.Replicas[r] = rec
			o := w.observed(p.Host)
			o.Containers = append(o.Containers, container(rec, &wl.Spec))
		}
		if running {
			w.snap.Specs[rev], w.snap.Workloads[wl.Name], w.snap.Release = wl.Spec, wl, 1
		}
	}
	if running {
		for _, h := range w.desired.Hosts {
			w.snap.Networks = append(w.snap.Networks, state.Network{Name: "app", Host: h.Name, Engine: "shop-app", Driver: "bridge"})
			o := w.observed(h.Name)
			o.Networks = append(o.Networks, fleet.ObservedNetwork{Name: "shop-app", Driver: "bridge", Fleet: testFleet})
		}
	}
	return Input{Desired: &w.desired, Snapshot: &w.snap, View: w.view, Inventory: Match(&w.snap, w.view), Assignment: a, Options: w.opts}
}

func benchMake(b *testing.B, n int, running bool) {
	in := benchWorld(n, running)
	b.ReportAllocs()
	for b.Loop() {
		p, diags := Make(in)
		if diags.HasErrors() || running != p.Empty() {
			b.Fatal(diags, p.Counts())
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "us/replica")
}

func BenchmarkMakeNew1000(b *testing.B)      { benchMake(b, 1000, false) }
func BenchmarkMakeNew10000(b *testing.B)     { benchMake(b, 10000, false) }
func BenchmarkMakeNothing1000(b *testing.B)  { benchMake(b, 1000, true) }
func BenchmarkMakeNothing10000(b *testing.B) { benchMake(b, 10000, true) }

func BenchmarkMatch10000(b *testing.B) {
	in := benchWorld(10000, true)
	b.ReportAllocs()
	for b.Loop() {
		Match(in.Snapshot, in.View)
	}
}

// BenchmarkMakeReplace10000 changes an attribute of everything: the longest chains there are.
func BenchmarkMakeReplace10000(b *testing.B) {
	in := benchWorld(10000, true)
	d := *in.Desired
	d.Workloads = append([]fleet.Workload(nil), d.Workloads...)
	for i := range d.Workloads {
		d.Workloads[i].Spec.Env = map[string]fleet.Text{"A": {Plain: "2"}}
	}
	in.Desired = &d
	b.ReportAllocs()
	for b.Loop() {
		Make(in)
	}
}

func BenchmarkEncode10000(b *testing.B) {
	p, _ := Make(benchWorld(10000, false))
	js, err := json.Marshal(p)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(len(js)), "bytes")
	for b.Loop() {
		if _, err := Encode(p, testKey); err != nil {
			b.Fatal(err)
		}
	}
}
