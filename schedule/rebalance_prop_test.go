package schedule

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/stowage-run/stowage/fleet"
)

// evener tries every way to even out one workload that stands.
type evener struct {
	*slow
	w     *fleet.Workload
	seats []*slowSeat
}

// even reports whether the spread is as even as moves make it: between no two values next to each other under one value of
// the label before, and at last between no two hosts under one value of the last label, is there a difference of two or
// more that moving a replica would lessen.
func (e evener) even() bool {
	labels := e.w.Placement.Spread
	for _, t := range e.seats {
		from := e.host(t.at)
		if !e.mayLeave(t) {
			continue
		}
		for _, to := range e.hosts {
			if to == from || !e.takes(t, to) {
				continue
			}
			depth := 0 // of the first label in which they differ
			for depth < len(labels) && sameLabel(from, to, labels[depth]) {
				depth++
			}
			here, there := e.count(e.w, from), e.count(e.w, to)
			if depth < len(labels) {
				here, there = e.countLike(e.w, from, labels[:depth+1]), e.countLike(e.w, to, labels[:depth+1])
			}
			if here-there >= 2 {
				return false
			}
		}
	}
	return true
}

// mayLeave reports whether a replica may be moved for the sake of evenness.
func (e evener) mayLeave(t *slowSeat) bool {
	return e.in.Hosts[t.at].Known && !(t.current.Holds && len(e.own(e.w)) > 0)
}

// takes reports whether a host takes a replica from another one.
func (e evener) takes(t *slowSeat, h *fleet.Host) bool {
	before := *t
	defer func() { *t = before }()
	t.at, t.current = "", nil
	return e.rejects(t, h) == ""
}

// fewest returns the fewest moves of the seats from the nth on that make it even; none is more than limit.
func (e evener) fewest(n, limit int) int {
	if e.even() {
		return 0
	}
	if limit == 0 {
		return 1
	}
	best := limit + 1
	for i := n; i < len(e.seats); i++ {
		t := e.seats[i]
		if !e.mayLeave(t) {
			continue
		}
		from := t.at
		for _, to := range e.hosts {
			if string(to.Name) == string(from) || !e.takes(t, to) {
				continue
			}
			t.at = to.Name
			best = min(best, 1+e.fewest(i+1, min(limit, best-1)-1))
			t.at = from
		}
	}
	return best
}

// TestRebalanceIsFewestMoves evens out one workload that stands anyhow, and compares with every way to do it. Where some
// hosts take no more or some replicas may not move it is even too, but may take a move more than the best way.
func TestRebalanceIsFewestMoves(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var lines []string
		hosts := rapid.IntRange(1, 5).Draw(rt, "hosts")
		for i := range hosts {
			lines = append(lines, strings.Join([]string{
				fmt.Sprintf("host h%d", i), rapid.SampledFrom([]string{"zone=a", "zone=b", "zone=a", "zone=b", ""}).Draw(rt, "zone"),
				rapid.SampledFrom([]string{"rack=1", "rack=2", ""}).Draw(rt, "rack"),
				maybe(rt, "memory=300", "memory=500"), maybe(rt, "cordon", "unknown"),
			}, " "))
		}
		n := rapid.IntRange(1, 6).Draw(rt, "replicas")
		lines = append(lines, "volume each per_replica", strings.Join([]string{
			fmt.Sprintf("workload w %d memory=100", n), rapid.SampledFrom([]string{"", "spread=zone", "spread=zone,rack"}).Draw(rt, "spread"),
			maybe(rt, "max=2", "max=3"), maybe(rt, "mount=each"),
		}, " "))
		for i := range n {
			lines = append(lines, fmt.Sprintf("now w[%d] h%d %s", i, rapid.IntRange(0, hosts-1).Draw(rt, "at"), maybe(rt, "holds")))
		}
		text := strings.Join(lines, "\n")
		rt.Log(text)
		in := parse(t, text)
		base := Place(in)
		for _, p := range base.Placed {
			if p.From != p.Host {
				return
			}
		}
		if len(base.Refused) > 0 {
			return
		}
		in.Rebalance = true
		a := Place(in)
		checker{rt, in, a}.check()
		moves := 0
		for _, p := range a.Placed {
			if p.From != p.Host {
				moves++
				if !strings.HasPrefix(p.Reason, "rebalance: ") {
					rt.Fatalf("%v moves, since %q", p.Replica, p.Reason)
				}
			}
		}
		s := after(in, base)
		e := evener{s, s.works[0], s.seats}
		want := e.fewest(0, moves)
		if got := after(in, a); !(evener{got, got.works[0], got.seats}).even() {
			rt.Fatalf("not even after %d moves:\n%s", moves, render(a))
		}
		stuck := strings.Contains(text, "memory=3") || strings.Contains(text, "memory=5") || strings.Contains(text, "max=") ||
			strings.Contains(text, "cordon") || strings.Contains(text, "unknown") || strings.Contains(text, "mount=")
		if moves != want && !stuck || moves < want {
			rt.Fatalf("%d moves, %d are enough:\n%s", moves, want, render(a))
		}
	})
}
