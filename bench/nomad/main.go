// Command nomad times placements beside Nomad's own scheduler and prints both with their ratio.
//
// The shape is that of Nomad's BenchmarkServiceScheduler with 50 racks: hosts of 14 GHz and 32 GB in turn on the racks, one
// job that asks for 6 GHz and 6 GB a replica and may stand on half of the racks, with and without a spread over racks.
// Nomad's side is the test binary of its package scheduler/benchmarks, which NOMAD_BENCH names; without it ours alone is
// timed. Runs alternate, so that a machine whose speed drifts treats both alike. Nothing fails a build: what cannot be
// measured is said and left out, and the exit status is 0.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"
)

func main() {
	runs := flag.Int("runs", 2, "runs of each scheduler")
	limit := flag.Duration("limit", 15*time.Minute, "the longest that one run of Nomad's may take")
	most := flag.Int("replicas", 1200, "leave out shapes with more replicas; Nomad takes minutes to spread 1,200 over 5,000 hosts")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	shapes := allShapes(*most)
	ours, theirs := map[shape][]float64{}, map[shape][]float64{}
	peer := nomad{binary: os.Getenv("NOMAD_BENCH"), limit: *limit}
	for range *runs {
		for _, s := range shapes {
			ours[s] = append(ours[s], s.rate())
		}
		got, err := peer.rates(ctx, shapes)
		if err != nil {
			fmt.Println("nomad: not measured to the end:", err)
		}
		for s, rate := range got {
			theirs[s] = append(theirs[s], rate)
		}
	}
	fmt.Println("placements a second, median (least..most)")
	for _, s := range shapes {
		fmt.Printf("  %-44s %s\n", s, line(ours[s], theirs[s]))
	}
	fmt.Println("quality")
	for _, s := range shapes {
		fmt.Printf("  %-44s %s\n", s, s.quality())
	}
}

// line says what was measured of one shape.
func line(ours, theirs []float64) string {
	out := figure(ours)
	if len(theirs) == 0 {
		return out
	}
	return fmt.Sprintf("%s   nomad %s   %.0f times", out, figure(theirs), median(ours)/median(theirs))
}

func figure(xs []float64) string {
	return fmt.Sprintf("%.0f (%.0f..%.0f)", median(xs), xs[0], xs[len(xs)-1])
}
