package reconcile_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

// A rollout is a matter of record: whoever is killed in one, at whatever place, the next process ends it where an unharmed one
// would have ended. change is what goes out and end what stands in the end.
type rolloutCase struct {
	name        string
	change, end *fleet.Fleet
	status      state.RolloutStatus
}

func rolloutCases() []rolloutCase {
	good := with(rolling(12, "a", "b", "c"), "good")
	green := with(good, "green")
	green.Workloads[0].Update.Strategy = fleet.UpdateBlueGreen
	return []rolloutCase{
		{"good", with(good, "new"), with(good, "new"), state.RolloutDone},
		{"bad", with(good, "bad"), good, state.RolloutTaken},
		{"blue-green", green, green, state.RolloutDone},
	}
}

// survives is killed at points, one process after the other, and lets one more finish. It reports how many died.
func (c rolloutCase) survives(t *testing.T, at ...point) (deaths int) {
	synctest.Test(t, func(t *testing.T) {
		r := rollRig(t, "a", "b", "c")
		r.roll(with(rolling(12, "a", "b", "c"), "good"), reconcile.Options{})
		k := &killer{made: map[string]string{}}
		for _, p := range at {
			k.watch(r, p)
			if _, _, err := r.tryRoll(c.change, reconcile.Options{}); err != nil && !k.dead {
				t.Errorf("%v: not killed, and yet: %v", at, err)
			}
			if k.dead {
				deaths++
			}
			k.rest(r)
		}
		k.watch(r, point{})
		if _, _, err := r.tryRoll(c.change, reconcile.Options{}); err != nil {
			t.Errorf("%v: the process after it: %v", at, err)
		}
		k.rest(r)
		problems := append(r.problems(c.end), k.broken...)
		if s := r.load().Rollouts["web"]; s.Status != c.status {
			problems = append(problems, fmt.Sprintf("the rollout is %s, want %s: %s", s.Status, c.status, s.Why))
		}
		if p := r.plan(c.change, reconcile.Options{}); !p.Empty() {
			problems = append(problems, "the plan after it is not empty:\n"+describe(p))
		}
		if len(problems) > 0 {
			t.Errorf("%v:\n  %s\n%s", at, strings.Join(problems, "\n  "), strings.Join(r.last, "\n"))
		}
	})
	return deaths
}

// size is how many calls and records an unharmed rollout makes.
func (c rolloutCase) size(t *testing.T) (calls, records int) {
	synctest.Test(t, func(t *testing.T) {
		r := rollRig(t, "a", "b", "c")
		r.roll(with(rolling(12, "a", "b", "c"), "good"), reconcile.Options{})
		k := &killer{made: map[string]string{}}
		k.watch(r, point{})
		r.roll(c.change, reconcile.Options{})
		k.rest(r)
		calls, records = k.calls, k.ops
	})
	return calls, records
}

func TestRolloutKilledAnywhere(t *testing.T) {
	for _, c := range rolloutCases() {
		t.Run(c.name, func(t *testing.T) {
			calls, records := c.size(t)
			all, deaths := points(calls, records), 0
			for _, p := range all {
				deaths += c.survives(t, p)
			}
			if deaths < len(all)*9/10 {
				t.Errorf("%d of %d points killed: the test does not test what it says", deaths, len(all))
			}
			t.Logf("%d calls, %d records, %d deaths", calls, records, deaths)
		})
	}
}

func TestRolloutKilledTwice(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for _, c := range rolloutCases() {
		calls, records := c.size(t)
		all := points(calls, records)
		for range 25 {
			second := all[rnd.IntN(len(all))]
			second.n = 1 + rnd.IntN(max(1, second.n/2))
			c.survives(t, all[rnd.IntN(len(all))], second)
		}
	}
}
