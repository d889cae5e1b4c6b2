package schedule

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/stowage-run/stowage/fleet"
)

// maybe draws one of several words, most often none.
func maybe(t *rapid.T, words ...string) string {
	return rapid.SampledFrom(append([]string{"", "", ""}, words...)).Draw(t, "word")
}

// drawHosts draws hosts as fixture lines.
func drawHosts(t *rapid.T) []string {
	var out []string
	for i := range rapid.IntRange(0, 6).Draw(t, "hosts") {
		out = append(out, strings.Join([]string{
			fmt.Sprintf("host h%d", i),
			maybe(t, "zone=a", "zone=b", "zone=c"), maybe(t, "disk=ssd", "disk=hdd"), maybe(t, "rack=1", "rack=2"),
			maybe(t, "cpu=1", "cpu=4"), maybe(t, "memory=1000", "memory=3000", "memory=300"),
			maybe(t, "gpus=1"), maybe(t, "reserve.memory=200"), maybe(t, "arch=arm64", "arch=amd64"),
			maybe(t, "taken=80", "taken=80@10.0.0.1", "taken=20000"), maybe(t, "cordon", "drain"), maybe(t, "unknown"),
		}, " "))
	}
	return out
}

// drawWorkloads draws workloads and their volumes as fixture lines.
func drawWorkloads(t *rapid.T) []string {
	out := []string{"volume one", "volume each per_replica"}
	for i := range rapid.IntRange(1, 5).Draw(t, "workloads") {
		n := rapid.SampledFrom([]string{"0", "1", "2", "3", "7", "global"}).Draw(t, "replicas")
		out = append(out, strings.Join([]string{
			fmt.Sprintf("workload w%d %s", i, n),
			maybe(t, "memory=100", "memory=250", "memory=600"), maybe(t, "cpu=0.3", "cpu=1"), maybe(t, "gpus=1"),
			maybe(t, "port=a:80", "port=a:80@10.0.0.1", "port=a:20001"), maybe(t, "port=b:auto", "port=b:auto port=c:auto"),
			maybe(t, "wants=disk:ssd", "hosts=h0,h2"), maybe(t, "spread=zone", "spread=zone,rack"), maybe(t, "max=1", "max=2"),
			maybe(t, "mount=one", "mount=each"), maybe(t, "arch=amd64"), maybe(t, "frozen"),
		}, " "))
	}
	return out
}

// drawCurrent draws what stands now, possible or not.
func drawCurrent(t *rapid.T) []string {
	var out []string
	for w := range 6 {
		for s := range rapid.IntRange(0, 4).Draw(t, "standing") {
			out = append(out, strings.Join([]string{
				fmt.Sprintf("now w%d[%d] h%d", w, s, rapid.IntRange(0, 7).Draw(t, "host")),
				maybe(t, "b=20000", "b=20001", "b=81"), maybe(t, "a=80"), maybe(t, "holds"), maybe(t, "memory=50"),
			}, " "))
		}
	}
	return append(out, maybe(t, "at one h1"), maybe(t, "at each w0[0] h1"), maybe(t, "frozen w5"))
}

func drawInput(t *rapid.T) string {
	lines := slices.Concat(drawHosts(t), drawWorkloads(t))
	if rapid.Bool().Draw(t, "standing") {
		lines = append(lines, drawCurrent(t)...)
	}
	return strings.Join(lines, "\n")
}

func TestPlaceHolds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := drawMix(rt, everything)
		in := parse(t, text)
		a := Place(in)
		checker{rt, in, a}.check()
		if d := cmp.Diff(parse(t, text), in); d != "" {
			rt.Fatalf("the input changed (-before +after):\n%s", d)
		}
		lines := rapid.Permutation(strings.Split(text, "\n")).Draw(rt, "order")
		if d := cmp.Diff(a, Place(parse(t, strings.Join(lines, "\n")))); d != "" {
			rt.Fatalf("order matters (-given +permuted):\n%s", d)
		}
	})
}

// standing turns an assignment into what stands after it was carried out; what is refused is left alone.
func standing(in Input, a fleet.Assignment) Input {
	out := in
	out.Current = map[fleet.ReplicaID]Current{}
	for _, r := range a.Refused {
		for _, s := range r.Slots {
			id := fleet.ReplicaID{Workload: r.Workload, Slot: s}
			if c, ok := in.Current[id]; ok {
				out.Current[id] = c
			}
		}
	}
	mounts := map[fleet.WorkloadName]bool{}
	for _, w := range in.Fleet.Workloads {
		mounts[w.Name] = len(w.Spec.Mounts) > 0
	}
	for _, p := range a.Placed {
		c := Current{Host: p.Host, HostPorts: p.HostPorts, Holds: mounts[p.Replica.Workload]}
		if in.Frozen[p.Replica.Workload] {
			c = in.Current[p.Replica]
		}
		out.Current[p.Replica] = c
	}
	return out
}

// TestPlacedStays places again what is placed. Left out are fleets in which something is refused for want of room that
// stands all the same: it takes up no room while it is refused, and all of it once it is kept, which may have been given to
// others meanwhile.
func TestPlacedStays(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := drawMix(rt, everything)
		rt.Log(text)
		in := parse(t, text)
		first := Place(in)
		next := carriedOut(in, first)
		for _, id := range refusedIn(first.Refused) {
			c, stands := next.Current[id]
			if h := c.Host; stands && newSlow(in).mightStay(id, h) {
				return
			}
		}
		again := Place(next)
		for i := range first.Placed {
			first.Placed[i].From, first.Placed[i].Reason = first.Placed[i].Host, ""
		}
		// A refused one may find a place once what held its volume or port is gone.
		if len(first.Refused) > 0 {
			again.Placed = slices.DeleteFunc(again.Placed, func(p fleet.Placed) bool { return isRefused(first, p.Replica) })
		}
		if d := cmp.Diff(first.Placed, again.Placed, cmpopts.EquateEmpty()); d != "" {
			rt.Fatalf("placing again moves (-first +again):\n%s", d)
		}
		if len(again.Gone) > 0 {
			rt.Fatalf("placing again drops %v", again.Gone)
		}
	})
}

func isRefused(a fleet.Assignment, r fleet.ReplicaID) bool {
	return slices.ContainsFunc(a.Refused, func(x fleet.Refusal) bool {
		return x.Workload == r.Workload && slices.Contains(x.Slots, r.Slot)
	})
}

// TestEditedFleet places one fleet and then another of the same names over it.
func TestEditedFleet(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		before := parse(t, drawInput(rt))
		after := parse(t, strings.Join(slices.Concat(drawHosts(rt), drawWorkloads(rt)), "\n"))
		next := standing(before, Place(before))
		next.Fleet, next.Hosts, next.Archs, next.Frozen = after.Fleet, after.Hosts, after.Archs, after.Frozen
		checker{rt, next, Place(next)}.check()
	})
}

func TestSpreadIsEven(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var lines []string
		n := rapid.IntRange(1, 9).Draw(rt, "hosts")
		zones := map[fleet.HostName]string{}
		for i := range n {
			z := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "zone")
			zones[fleet.HostName(fmt.Sprintf("h%d", i))] = z
			lines = append(lines, fmt.Sprintf("host h%d zone=%s", i, z))
		}
		replicas := rapid.IntRange(0, 40).Draw(rt, "replicas")
		spread := rapid.SampledFrom([]string{"", "spread=zone"}).Draw(rt, "spread")
		lines = append(lines, fmt.Sprintf("workload w %d %s", replicas, spread))
		byHost, byZone, inZone := map[string]int{}, map[string]int{}, map[string]map[string]int{}
		for h, z := range zones {
			byHost[string(h)], byZone[z] = 0, 0
			if inZone[z] == nil {
				inZone[z] = map[string]int{}
			}
			inZone[z][string(h)] = 0
		}
		for _, p := range Place(parse(t, strings.Join(lines, "\n"))).Placed {
			byHost[string(p.Host)]++
			byZone[zones[p.Host]]++
			inZone[zones[p.Host]][string(p.Host)]++
		}
		if spread == "" {
			even(rt, "hosts", byHost)
			return
		}
		even(rt, "zones", byZone)
		for z, hosts := range inZone {
			even(rt, "hosts of zone "+z, hosts)
		}
	})
}

func even(t *rapid.T, what string, counts map[string]int) {
	lo, hi := 1<<30, 0
	for _, n := range counts {
		lo, hi = min(lo, n), max(hi, n)
	}
	if hi-lo > 1 {
		t.Fatalf("uneven over %s: %v", what, counts)
	}
}

// TestRefusalAgainstBruteForce places one workload and compares how many replicas have a place with the
// most that any assignment gives one.
func TestRefusalAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var lines []string
		for i := range rapid.IntRange(1, 4).Draw(rt, "hosts") {
			lines = append(lines, strings.Join([]string{
				fmt.Sprintf("host h%d", i), maybe(rt, "memory=300", "memory=500"), maybe(rt, "cpu=1"),
				maybe(rt, "taken=80"), maybe(rt, "cordon", "drain", "unknown"), maybe(rt, "disk=ssd"),
			}, " "))
		}
		lines = append(lines, "volume one", strings.Join([]string{
			fmt.Sprintf("workload w %d", rapid.IntRange(1, 5).Draw(rt, "replicas")), maybe(rt, "memory=100", "memory=200"),
			maybe(rt, "cpu=0.5"), maybe(rt, "max=1", "max=2"), maybe(rt, "port=a:80"), maybe(rt, "wants=disk:ssd"),
			maybe(rt, "mount=one"),
		}, " "))
		in := parse(t, strings.Join(lines, "\n"))
		w := &in.Fleet.Workloads[0]
		c := checker{t: rt, in: in}
		if got, want := len(Place(in).Placed), c.most(w, w.Replicas); got != want {
			rt.Fatalf("placed %d of %d, %d are possible", got, w.Replicas, want)
		}
	})
}

// most tries every host for every replica that is left.
func (c checker) most(w *fleet.Workload, left int) int {
	best := 0
	for i := range c.in.Fleet.Hosts {
		h := &c.in.Fleet.Hosts[i]
		if left == 0 || h.Cordon || !c.in.Hosts[h.Name].Known || !c.mayStand(w, h, false) || !c.roomFor(w, h) {
			continue
		}
		if len(w.Spec.Mounts) > 0 && len(c.a.Placed) > 0 && c.a.Placed[0].Host != h.Name {
			continue
		}
		next := c
		p := fleet.Placed{Replica: fleet.ReplicaID{Workload: w.Name, Slot: fleet.Slot(left)}, Host: h.Name}
		for _, k := range w.Spec.Ports {
			p.HostPorts = map[string]uint16{k.Name: k.Host}
		}
		next.a.Placed = append(slices.Clone(c.a.Placed), p)
		best = max(best, 1+next.most(w, left-1))
	}
	return best
}

// mightStay reports whether nothing but room keeps a standing replica from its host.
func (s *slow) mightStay(id fleet.ReplicaID, n fleet.HostName) bool {
	t, h := s.seatOf(id), s.host(n)
	return t != nil && h != nil && s.forbids(t.work, h, true) == ""
}
