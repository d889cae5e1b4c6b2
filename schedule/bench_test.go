package schedule

import (
	"fmt"
	"strings"
	"testing"
)

// BenchmarkPlace places fleets from nothing, and again as they stand.
func BenchmarkPlace(b *testing.B) {
	for _, c := range []struct{ hosts, workloads, replicas int }{
		{100, 1, 10_000}, {1000, 1, 10_000}, {1000, 100, 100}, {100, 1000, 10},
	} {
		var t strings.Builder
		for i := range c.hosts {
			fmt.Fprintf(&t, "host h%d zone=z%d cpu=64 memory=262144\n", i, i%7)
		}
		for i := range c.workloads {
			fmt.Fprintf(&t, "workload w%d %d memory=100 cpu=0.1 port=http:auto spread=zone\n", i, c.replicas)
		}
		in := parse(b, t.String())
		name := fmt.Sprintf("hosts=%d/workloads=%d/replicas=%d", c.hosts, c.workloads, c.replicas)
		first := Place(in)
		if len(first.Refused) > 0 {
			b.Fatal(Explain(first.Refused[0]))
		}
		b.Run("new/"+name, func(b *testing.B) {
			for b.Loop() {
				Place(in)
			}
		})
		again := standing(in, first)
		b.Run("again/"+name, func(b *testing.B) {
			for b.Loop() {
				Place(again)
			}
		})
	}
}
