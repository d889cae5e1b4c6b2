package state_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
	"github.com/stowage-run/stowage/state/memory"
)

func TestKeys(t *testing.T) {
	for _, c := range []struct {
		key   state.Key
		want  string
		parts []string
	}{
		{state.MetaKey(), "meta", nil},
		{state.LatestKey(), "latest", nil},
		{state.WorkloadKey(`api["eu/1"]`), "workload/api%5B%22eu%2F1%22%5D", []string{`api["eu/1"]`}},
		{state.SpecKey("v1:ab"), "spec/v1:ab", []string{"v1:ab"}},
		{state.ReplicaKey(fleet.ReplicaID{Workload: "web", Slot: 12}), "replica/web/0000000012", []string{"web", "0000000012"}},
		{state.VolumeKey("a", "shop-data"), "volume/a/shop-data", []string{"a", "shop-data"}},
		{state.NetworkKey(`edge["%"]`, "n"), "network/edge%5B%22%25%22%5D/n", []string{`edge["%"]`, "n"}},
		{state.HostKey("h"), "host/h", []string{"h"}},
		{state.IntentKey("op"), "intent/op", []string{"op"}},
		{state.DebtKey("h"), "debt/h", []string{"h"}},
		{state.RolloutKey("web"), "rollout/web", []string{"web"}},
		{state.OverrideKey("web"), "override/web", []string{"web"}},
		{state.OutputKey("url"), "output/url", []string{"url"}},
		{state.ReleaseKey(7), "release/0000000007", []string{"0000000007"}},
		{state.PlanKey("p"), "plan/p", []string{"p"}},
	} {
		if string(c.key) != c.want {
			t.Errorf("got key %s, want %s", c.key, c.want)
		}
		kind, parts, err := c.key.Split()
		if diff := cmp.Diff(c.parts, parts); diff != "" || err != nil || !strings.HasPrefix(c.want, kind) {
			t.Errorf("%s: kind %s, error %v, parts (-want +got):\n%s", c.key, kind, err, diff)
		}
	}
	if r, ok := state.ReplicaKey(fleet.ReplicaID{Workload: `a["b"]`, Slot: 3}).Replica(); !ok || r != (fleet.ReplicaID{Workload: `a["b"]`, Slot: 3}) {
		t.Errorf("got %v, %v", r, ok)
	}
	for _, k := range []state.Key{"", "x", "meta/a", "replica/web", "replica/web/x/y", "host/%zz", "replica/web/x"} {
		if _, ok := k.Replica(); ok {
			t.Errorf("%q is read as a replica's", k)
		}
	}
}

// TestReplicasSort checks that slots sort as numbers and that a workload's replicas are under its prefix.
func TestReplicasSort(t *testing.T) {
	var keys []state.Key
	for _, slot := range []fleet.Slot{0, 2, 9, 10, 11, 100, 1 << 30} {
		keys = append(keys, state.ReplicaKey(fleet.ReplicaID{Workload: "web", Slot: slot}))
	}
	if !slices.IsSorted(keys) {
		t.Errorf("not in order: %v", keys)
	}
}

// records returns one record of every kind.
func records(t testing.TB) []state.Record {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var c state.Changes
	c.PutMeta(state.Meta{ID: "id", Name: "shop", SealKey: []byte{1}, Created: at})
	c.PutWorkload(fleet.Workload{Name: "web"})
	c.PutSpec("v1:1", fleet.Spec{User: "u"})
	c.PutReplica(state.Replica{Replica: fleet.ReplicaID{Workload: "web", Slot: 1}, HostPorts: map[string]uint16{"a": 1, "b": 2}, Changed: at})
	c.PutVolume(state.Volume{Name: "v", Host: "h", Engine: "e"})
	c.PutNetwork(state.Network{Name: "n", Host: "h", Engine: "e"})
	c.PutHost(state.Host{Host: fleet.Host{Name: "h"}})
	c.PutIntent(state.Intent{Op: "o", Started: at})
	c.PutDebt(state.Debt{Host: "h", Since: at})
	c.PutRollout(state.Rollout{Workload: "web", Good: &fleet.Workload{Name: "web"}, Started: at})
	c.PutOverride(state.Override{Workload: "web", Replicas: 5, Since: at})
	c.PutOutput(fleet.Output{Name: "o"})
	c.PutRelease(state.Release{Number: 1, Made: at, Fleet: fleet.Fleet{Name: "shop"}})
	c.PutPlan(state.PlanRecord{ID: "p", Started: at})
	txns, err := c.Txn(0)
	if err != nil {
		t.Fatal(err)
	}
	var out []state.Record
	for _, p := range txns[0].Put {
		out = append(out, state.Record{Key: p.Key, Serial: 1, Value: p.Value})
	}
	return out
}

// TestDamagedRecords flips every bit of every record, and moves records to others' keys.
func TestDamagedRecords(t *testing.T) {
	all := records(t)
	for i, r := range all {
		if _, err := state.Decode(r); err != nil {
			t.Errorf("%s: %v", r.Key, err)
		}
		for bit := range len(r.Value) * 8 {
			b := slices.Clone(r.Value)
			b[bit/8] ^= 1 << (bit % 8)
			var damaged *state.DamagedError
			_, err := state.Decode(state.Record{Key: r.Key, Value: b})
			if !errors.As(err, &damaged) || damaged.Path != string(r.Key) {
				t.Fatalf("%s, bit %d: got error %v, want a damage that names the key", r.Key, bit, err)
			}
		}
		for n := range len(r.Value) {
			if _, err := state.Decode(state.Record{Key: r.Key, Value: r.Value[:n]}); !errors.Is(err, state.ErrDamaged) {
				t.Fatalf("%s, %d bytes: got error %v", r.Key, n, err)
			}
		}
		moved := state.Record{Key: all[(i+1)%len(all)].Key, Value: r.Value}
		if _, err := state.Decode(moved); !errors.Is(err, state.ErrDamaged) {
			t.Errorf("%s under the key %s: got error %v", r.Key, moved.Key, err)
		}
	}
}

// TestLoadDamaged checks that one damaged record ends Load.
func TestLoadDamaged(t *testing.T) {
	s := memory.New()
	k := state.HostKey("h")
	if _, err := s.Commit(t.Context(), state.Txn{Put: []state.Put{{Key: k, Value: []byte("rubbish")}}}); err != nil {
		t.Fatal(err)
	}
	var damaged *state.DamagedError
	if _, err := state.Load(t.Context(), s); !errors.As(err, &damaged) || damaged.Path != string(k) {
		t.Errorf("got error %v", err)
	}
}

func TestChangesSplit(t *testing.T) {
	var c state.Changes
	for i := range 250 {
		c.PutReplica(state.Replica{Replica: fleet.ReplicaID{Workload: "web", Slot: fleet.Slot(i)}})
	}
	c.DeleteReplica(fleet.ReplicaID{Workload: "web", Slot: 249})
	txns, err := c.Txn(3, state.Condition{Key: "meta", Serial: 1})
	if err != nil {
		t.Fatal(err)
	}
	var sizes []string
	for _, x := range txns {
		if err := x.Check(); err != nil || x.Epoch != 3 {
			t.Errorf("epoch %d, error %v", x.Epoch, err)
		}
		sizes = append(sizes, fmt.Sprintf("%d/%d/%d", len(x.If), len(x.Put), len(x.Delete)))
	}
	if got, want := strings.Join(sizes, " "), "1/100/0 0/100/0 0/49/1"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	var big state.Changes
	for i := range 30 {
		big.PutOutput(fleet.Output{Name: fmt.Sprint(i), Value: make([]byte, 60_000)})
	}
	txns, err = big.Txn(0)
	if err != nil || len(txns) < 2 {
		t.Errorf("%d transactions, error %v", len(txns), err)
	}
	for _, x := range txns {
		if err := x.Check(); err != nil {
			t.Error(err)
		}
	}
}

// TestLargeRelease checks that a release of a large fleet fits a transaction.
func TestLargeRelease(t *testing.T) {
	var f fleet.Fleet
	for i := range 5_000 {
		f.Workloads = append(f.Workloads, fleet.Workload{
			Name: fleet.WorkloadName(fmt.Sprintf("workload-%d", i)), Replicas: 2,
			Spec: fleet.Spec{Image: fleet.Image{Ref: "registry.example.com/team/app:1.2.3", Digest: fmt.Sprintf("sha256:%064x", i*7919)}, Env: map[string]fleet.Text{"A": {Plain: fmt.Sprint(i)}}},
		})
	}
	var c state.Changes
	c.PutRelease(state.Release{Number: 1, Fleet: f})
	s := memory.New()
	if err := state.NewWriter(s, 0).Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	r, err := state.LoadRelease(t.Context(), s, 1)
	if err != nil || len(r.Fleet.Workloads) != 5_000 {
		t.Errorf("%d workloads, error %v", len(r.Fleet.Workloads), err)
	}
}

// TestWriterMerges holds the first commit in the store: all that come meanwhile are written in one transaction.
func TestWriterMerges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New()
		gate := make(chan bool)
		var sizes []int
		s.BeforeCommit = func(x state.Txn) error {
			sizes = append(sizes, len(x.Put))
			<-gate
			return nil
		}
		w := state.NewWriter(s, 0)
		ctx, cancel := context.WithCancel(t.Context())
		errs := make(chan error, 12)
		for i := range 12 {
			go func() {
				var c state.Changes
				c.PutHost(state.Host{Host: fleet.Host{Name: fleet.HostName(fmt.Sprint(i))}})
				if i == 11 {
					errs <- w.Commit(ctx, c)
				} else {
					errs <- w.Commit(t.Context(), c)
				}
			}()
			synctest.Wait()
		}
		cancel() // the last one still waits, and leaves
		synctest.Wait()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("got error %v, want Canceled", err)
		}
		close(gate)
		for range 11 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		if diff := cmp.Diff([]int{1, 10}, sizes); diff != "" {
			t.Errorf("sizes of the transactions (-want +got):\n%s", diff)
		}
	})
}

// TestWriterBreaks checks that nothing is written after an error, and that everybody learns of it.
func TestWriterBreaks(t *testing.T) {
	for _, cause := range []error{state.ErrFull, state.ErrFenced, errors.New("the cable")} {
		s := memory.New()
		s.FailAt(2, cause)
		w := state.NewWriter(s, 0)
		for i := range 4 {
			var c state.Changes
			c.PutOutput(fleet.Output{Name: fmt.Sprint(i)})
			err := w.Commit(t.Context(), c)
			if i == 0 && err != nil || i > 0 && !errors.Is(err, cause) {
				t.Errorf("commit %d: got error %v, want %v", i, err, cause)
			}
		}
		if v, err := s.Read(t.Context()); err != nil || len(v.Records) != 1 || !errors.Is(w.Err(), cause) {
			t.Errorf("%d records, error %v", len(v.Records), err)
		}
		if err := w.Commit(t.Context(), state.Changes{}); !errors.Is(err, cause) {
			t.Errorf("no changes: got error %v", err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, r := range records(f) {
		f.Add(string(r.Key), r.Value)
	}
	f.Fuzz(func(t *testing.T, key string, value []byte) {
		_, err := state.Decode(state.Record{Key: state.Key(key), Value: value})
		if err != nil && !errors.Is(err, state.ErrDamaged) && !errors.Is(err, state.ErrNewer) {
			t.Errorf("got error %v, want ErrDamaged or ErrNewer", err)
		}
	})
}

func TestOverrideInForce(t *testing.T) {
	at := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	for _, x := range []struct {
		until      time.Time
		configured int
		want       bool
	}{
		{time.Time{}, 3, true},
		{time.Time{}, 4, false}, // the configuration's number has changed
		{at.Add(time.Second), 3, true},
		{at.Add(time.Second), 4, false},
		{at, 3, false}, // its time is up
	} {
		o := state.Override{Workload: "web", Replicas: 5, Configured: 3, Until: x.until}
		if got := o.InForce(x.configured, at); got != x.want {
			t.Errorf("until %v, configured %d: got %v, want %v", x.until, x.configured, got, x.want)
		}
	}
}
