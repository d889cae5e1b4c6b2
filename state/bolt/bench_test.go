package bolt

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// replica is a replica as large as real ones.
func replica(i int) state.Replica {
	return state.Replica{
		Replica:    fleet.ReplicaID{Workload: "web", Slot: fleet.Slot(i)},
		Generation: 2, Host: fleet.HostName(fmt.Sprintf("host%d", i%100)),
		Container: fmt.Sprintf("%064x", i), Revision: fleet.Revision(fmt.Sprintf("v1:%064x", i%3)),
		HostPorts: map[string]uint16{"http": uint16(20000 + i%10000)}, Release: 7,
		Changed: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
	}
}

// filled returns a store of n replicas.
func filled(b *testing.B, n int) *Store {
	b.Helper()
	s := openStore(b, b.TempDir())
	var c state.Changes
	for i := range n {
		c.PutReplica(replica(i))
	}
	if err := state.NewWriter(s, 0).Commit(b.Context(), c); err != nil {
		b.Fatal(err)
	}
	return s
}

// BenchmarkLoad reads 10,000 replicas as a process does that has just begun: opened, verified, decoded.
func BenchmarkLoad(b *testing.B) {
	s := filled(b, 10_000)
	for b.Loop() {
		s.setSound(metas{})
		if snap, err := state.Load(b.Context(), s); err != nil || len(snap.Replicas) != 10_000 {
			b.Fatal(err)
		}
	}
}

// BenchmarkLoadAgain is BenchmarkLoad of a file that was verified before.
func BenchmarkLoadAgain(b *testing.B) {
	s := filled(b, 10_000)
	for b.Loop() {
		if _, err := state.Load(b.Context(), s); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCommit is the time until one replica is durable beside 10,000 others.
func BenchmarkCommit(b *testing.B) {
	s := filled(b, 10_000)
	w := state.NewWriter(s, 0)
	n := 0
	for b.Loop() {
		n++
		write(b, w, n)
	}
}

// BenchmarkCommitMany lets 64 goroutines write: they share transactions.
func BenchmarkCommitMany(b *testing.B) {
	s := filled(b, 10_000)
	w := state.NewWriter(s, 0)
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			write(b, w, n)
		}
	})
}

func write(b *testing.B, w *state.Writer, n int) {
	b.Helper()
	r := replica(n % 10_000)
	r.Generation = fleet.Generation(n)
	r.Changed = time.Now()
	var c state.Changes
	c.PutReplica(r)
	if err := w.Commit(context.WithoutCancel(b.Context()), c); err != nil {
		b.Fatal(err)
	}
}
