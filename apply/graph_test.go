package apply

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
)

// parse reads steps, one a line: "host needs...". A host of "-" is a step on the record alone.
func parse(text string) []plan.Step {
	var steps []plan.Step
	for line := range strings.Lines(strings.TrimSpace(text)) {
		f := strings.Fields(line)
		s := plan.Step{ID: len(steps), Kind: plan.KindRun, Host: fleet.HostName(f[0])}
		if f[0] == "-" {
			s.Kind = plan.KindRecord
		}
		for _, n := range f[1:] {
			i, err := strconv.Atoi(n)
			if err != nil {
				panic(err)
			}
			s.Needs = append(s.Needs, i)
		}
		steps = append(steps, s)
	}
	return steps
}

// drain starts all that may start now.
func drain(g *graph) []int {
	var out []int
	for i, ok := g.next(); ok; i, ok = g.next() {
		out = append(out, i)
	}
	return out
}

func TestGraph(t *testing.T) {
	const three = `
		a
		b
		a 0
		b 0 1
		- 2 3
		a`
	check := func(what string, got []int, want ...int) {
		t.Helper()
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", what, d)
		}
	}

	g := newGraph(parse(three), 8, 8)
	check("at first", drain(g), 0, 1, 5)
	g.finish(0, true)
	check("after 0", drain(g), 2)
	g.finish(1, true)
	check("after 1", drain(g), 3)
	g.finish(2, true)
	check("after 2", drain(g))
	g.finish(3, true)
	check("after 3", drain(g), 4)

	g = newGraph(parse(three), 1, 8)
	check("one at a time on a host", drain(g), 0, 1)
	g.finish(0, true)
	check("the lowest first", drain(g), 2)
	g.release(2)
	check("in the place of one that has ended", drain(g), 5)
	check("what a failure after that drops", g.finish(2, false), 4)

	g = newGraph(parse("a\na\n"), 1, 8)
	check("one place", drain(g), 0)
	g.release(0)
	check("given on", drain(g), 1)
	g.finish(0, true)
	check("and once only", drain(g))

	g = newGraph(parse(three), 8, 8)
	drain(g)
	check("what a failure drops", g.finish(0, false), 2, 3, 4)
	g.finish(1, true)
	check("after a failure", drain(g))

	g = newGraph(parse(three), 1, 8)
	drain(g)
	check("a lost host's", g.dropHost("a"), 2, 5, 4)
	g.finish(0, true)
	check("after a lost host", drain(g))

	g = newGraph(parse("a\nb\nc\nb\n"), 8, 2)
	check("two hosts at once", drain(g), 0, 1, 3)
	g.finish(1, true)
	check("b still has one under way", drain(g))
	g.finish(3, true)
	check("then c", drain(g), 2)

	g = newGraph(parse("a\nb\nc\n"), 8, 1)
	check("one host at once", drain(g), 0)
	g.drop([]int{1})
	g.finish(0, true)
	check("a parked host whose steps are dropped holds nobody up", drain(g), 2)
}

// TestGraphRunsAll: whatever the graph and the limits, everything is started once, after what it needs, and the limits hold.
func TestGraphRunsAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		steps := make([]plan.Step, rapid.IntRange(0, 40).Draw(t, "steps"))
		for i := range steps {
			steps[i] = plan.Step{ID: i, Kind: plan.KindRun, Host: fleet.HostName(rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "host"))}
			for n := range i {
				if rapid.IntRange(0, 9).Draw(t, "need") == 0 {
					steps[i].Needs = append(steps[i].Needs, n)
				}
			}
		}
		perLane, maxLanes := rapid.IntRange(1, 3).Draw(t, "per host"), rapid.IntRange(1, 4).Draw(t, "hosts")
		g := newGraph(steps, perLane, maxLanes)
		started, ok := map[int]bool{}, map[int]bool{}
		skipped := map[int]bool{}
		var under []int
		for {
			for i, more := g.next(); more; i, more = g.next() {
				if started[i] || skipped[i] {
					t.Fatalf("%d was started twice, or after it was dropped", i)
				}
				for _, n := range steps[i].Needs {
					if !ok[n] {
						t.Fatalf("%d was started before %d was done", i, n)
					}
				}
				started[i] = true
				under = append(under, i)
			}
			busy := map[fleet.HostName]int{}
			for _, i := range under {
				busy[steps[i].Host]++
			}
			for h, n := range busy {
				if n > perLane || len(busy) > maxLanes {
					t.Fatalf("%d under way on %s, %d hosts", n, h, len(busy))
				}
			}
			if len(under) == 0 {
				break
			}
			at := rapid.IntRange(0, len(under)-1).Draw(t, "ends")
			i := under[at]
			under = append(under[:at], under[at+1:]...)
			ok[i] = rapid.IntRange(0, 9).Draw(t, "fails") > 0
			for _, s := range g.finish(i, ok[i]) {
				skipped[s] = true
			}
		}
		if len(started)+len(skipped) != len(steps) {
			t.Fatalf("%d started, %d dropped, of %d", len(started), len(skipped), len(steps))
		}
	})
}

// BenchmarkGraph runs 10,000 steps on 100 hosts in chains of two.
func BenchmarkGraph(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	steps := make([]plan.Step, 10000)
	for i := range steps {
		steps[i] = plan.Step{ID: i, Kind: plan.KindRun, Host: fleet.HostName(fmt.Sprint(rnd.IntN(100)))}
		if i%2 == 1 {
			steps[i].Needs = []int{i - 1}
		}
	}
	for b.Loop() {
		g := newGraph(steps, 16, 256)
		n := 0
		for todo := drain(g); len(todo) > 0; todo = drain(g) {
			for _, i := range todo {
				g.finish(i, true)
				n++
			}
		}
		if n != len(steps) {
			b.Fatal(n)
		}
	}
}
