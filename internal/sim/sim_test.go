package sim_test

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/internal/sim"
)

var (
	seeds = flag.Uint64("sim.seeds", 2000, "how many lives")
	start = flag.Uint64("sim.start", 1, "the first of them")
	fails = flag.Int("sim.failures", 10, "after how many failures to stop")
	seed  = flag.Uint64("sim.seed", 0, "live this one alone, and print its trace")
)

// live lives one life.
func live(t *testing.T, seed uint64) (r sim.Result) {
	synctest.Test(t, func(t *testing.T) { r = sim.Run(t.Context(), seed) })
	return r
}

// TestLives lives many lives, in each of which the invariants hold at every instant.
func TestLives(t *testing.T) {
	if *seed != 0 {
		r := live(t, *seed)
		t.Logf("seed %d, %s\n%s", r.Seed, r.Profile, strings.Join(r.Trace, "\n"))
		for _, b := range r.Broken {
			t.Error(b)
		}
		return
	}
	shards := uint64(runtime.GOMAXPROCS(0))
	for shard := range shards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			many(t, *start+shard, shards)
		})
	}
}

// many lives every so manyth life from one on.
func many(t *testing.T, first, step uint64) {
	var sum sim.Stats
	failed := 0
	for n := first; n < *start+*seeds && failed < *fails; n += step {
		r := live(t, n)
		sum.Add(r.Stats)
		if len(r.Broken) > 0 {
			failed++
			t.Errorf("seed %d (%s): replay it with go test ./internal/sim -run TestLives -v -sim.seed=%d\n  %s", n, r.Profile, n, strings.Join(r.Broken, "\n  "))
		}
	}
	t.Logf("%+v", sum)
}

// TestReplay lives some lives twice.
func TestReplay(t *testing.T) {
	for n := uint64(1); n <= 40; n++ {
		one, two := live(t, n), live(t, n)
		if d := cmp.Diff(one, two); d != "" {
			t.Errorf("seed %d is another life the second time:\n%s", n, d)
		}
	}
}
