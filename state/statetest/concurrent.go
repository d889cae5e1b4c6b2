package statetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

func testConcurrent(s *suite) {
	const writers, commits = 6, 5
	stores := []state.Store{s, s.reopen()}
	errs := each(writers, func(i int) error {
		var last state.Serial
		for n := range commits {
			serial, err := stores[i%2].Commit(s.ctx, puts(fmt.Sprintf("w%d=%d", i, n)))
			if err != nil {
				return err
			}
			if serial <= last {
				return fmt.Errorf("serial %d after %d", serial, last)
			}
			last = serial
		}
		return nil
	})
	s.ok(errors.Join(errs...))
	v, err := s.Read(s.ctx)
	s.ok(err)
	if v.Serial != writers*commits || len(v.Records) != writers {
		s.Errorf("serial %d and %d records, want %d and %d", v.Serial, len(v.Records), writers*commits, writers)
	}
}

// testAtomic reads while pairs are written: both halves are always alike.
func testAtomic(s *suite) {
	s.put("a=0", "b=0")
	reader := s.reopen()
	var done atomic.Bool
	read := make(chan error, 1)
	go func() {
		for !done.Load() {
			v, err := reader.Read(s.ctx)
			if err == nil && !bytes.Equal(v.Records[0].Value, v.Records[1].Value) {
				err = fmt.Errorf("read %s", dump(v))
			}
			if err != nil {
				read <- err
				return
			}
		}
		read <- nil
	}()
	for i := range 20 {
		s.put(fmt.Sprintf("a=%d", i), fmt.Sprintf("b=%d", i))
	}
	done.Store(true)
	s.ok(<-read)
}

func testRecords(s *suite) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	replica := state.Replica{
		Replica: fleet.ReplicaID{Workload: `api["a/b"]`, Slot: 2}, Generation: 3, Host: `edge["x"]`, Container: "cafe",
		Revision: "v1:12", HostPorts: map[string]uint16{"http": 20001, "admin": 65535}, Release: 4, Changed: at, Reason: "new", Proven: true, Last: 5,
	}
	vacant := state.Replica{Replica: fleet.ReplicaID{Workload: "web"}}
	spec := fleet.Spec{Image: fleet.Image{Ref: "nginx"}, Env: map[string]fleet.Text{"A": {Plain: "b"}}}
	release := state.Release{Number: 4, Plan: "p", Made: at, Fleet: fleet.Fleet{Name: "shop"}}
	plan := state.PlanRecord{ID: "p", Release: 4, Started: at, Result: state.PlanDone}
	want := &state.Snapshot{
		Workloads: map[fleet.WorkloadName]fleet.Workload{`api["a/b"]`: {Name: `api["a/b"]`, Replicas: 3, Spec: spec}},
		Specs:     map[fleet.Revision]fleet.Spec{"v1:12": spec},
		Replicas:  map[fleet.ReplicaID]state.Replica{replica.Replica: replica, vacant.Replica: vacant},
		Volumes:   []state.Volume{{Name: "data", Host: "a", Engine: "shop-data"}, {Name: "data", Host: "b", Engine: "shop-data", Replica: &vacant.Replica}},
		Networks:  []state.Network{{Name: "app", Host: "a", Engine: "shop-app", Driver: "bridge"}},
		Hosts:     map[fleet.HostName]state.Host{"a": {Host: fleet.Host{Name: "a"}, EngineID: "e"}},
		Intents:   []state.Intent{{Op: "2", Started: at}, {Op: "1", Started: at.Add(1)}},
		Debts:     []state.Debt{{Host: "b", Why: "silent", Since: at, Steps: []string{"remove x"}}},
		Rollouts:  map[fleet.WorkloadName]state.Rollout{"web": {Workload: "web", Release: 4, To: "v1:12", Status: state.RolloutBack, Started: at}},
		Overrides: map[fleet.WorkloadName]state.Override{"web": {Workload: "web", Replicas: 5, Configured: 3, Who: "ann@laptop", Since: at, Until: at.Add(time.Hour)}},
		Outputs:   map[string]fleet.Output{"url": {Name: "url", Value: []byte(`"x"`)}},
		Release:   4,
	}
	var c state.Changes
	c.PutWorkload(want.Workloads[`api["a/b"]`])
	c.PutSpec("v1:12", spec)
	c.PutReplica(replica)
	c.PutReplica(vacant)
	c.PutVolume(want.Volumes[1])
	c.PutVolume(want.Volumes[0])
	c.PutNetwork(want.Networks[0])
	c.PutHost(want.Hosts["a"])
	c.PutIntent(want.Intents[1])
	c.PutIntent(want.Intents[0])
	c.PutDebt(want.Debts[0])
	c.PutRollout(want.Rollouts["web"])
	c.PutOverride(want.Overrides["web"])
	c.PutOutput(want.Outputs["url"])
	c.PutRelease(release)
	c.PutPlan(plan)
	w := state.NewWriter(s, 0)
	s.ok(w.Commit(s.ctx, c))

	got, err := state.Load(s.ctx, s.reopen())
	s.ok(err)
	if len(got.Serials) != 15 || got.Serials[state.ReplicaKey(replica.Replica)] != 1 || got.Serial != 1 {
		s.Errorf("serial %d, serials %v", got.Serial, got.Serials)
	}
	got.Serials, got.Serial = nil, 0
	if diff := cmp.Diff(want, got); diff != "" {
		s.Errorf("snapshot (-want +got):\n%s", diff)
	}
	releases, err := state.Releases(s.ctx, s)
	s.ok(err)
	plans, err := state.Plans(s.ctx, s)
	s.ok(err)
	if diff := cmp.Diff([]state.Release{release}, releases) + cmp.Diff([]state.PlanRecord{plan}, plans); diff != "" {
		s.Errorf("history (-want +got):\n%s", diff)
	}
	_, err = state.LoadRelease(s.ctx, s, 40)
	s.is(err, state.ErrNoRecord)
	_, err = state.LoadPlan(s.ctx, s, "p")
	s.ok(err)
}

func testMeta(s *suite) {
	stores := []state.Store{s, s.reopen(), s.reopen()}
	got := make([]state.Meta, 6)
	errs := each(len(got), func(i int) (err error) {
		newID := func() string { return fmt.Sprintf("id-%d", i) }
		got[i], err = state.EnsureMeta(s.ctx, stores[i%3], "shop", time.Unix(int64(i), 0), newID, rand.Reader)
		return err
	})
	s.ok(errors.Join(errs...))
	for _, m := range got[1:] {
		if diff := cmp.Diff(got[0], m); diff != "" || len(m.SealKey) != 32 {
			s.Errorf("identities differ (-first +other):\n%s", diff)
		}
	}
	_, err := state.EnsureMeta(s.ctx, s, "other", time.Unix(0, 0), func() string { return "x" }, rand.Reader)
	if err == nil {
		s.Error("the state of another fleet was taken")
	}
}

// testWriter lets many write at once; fewer transactions than commits are made, and after the lock is lost
// nothing is written any more.
func testWriter(s *suite) {
	l := s.lock(s, "one")
	w := state.NewWriter(s, l.Epoch())
	const n = 40
	errs := each(n, func(i int) error {
		var c state.Changes
		c.PutReplica(state.Replica{Replica: fleet.ReplicaID{Workload: "web", Slot: fleet.Slot(i)}, Generation: 1})
		if err := w.Commit(s.ctx, c); err != nil {
			return err
		}
		snap, err := state.Load(s.ctx, s)
		if err == nil && snap.Replicas[fleet.ReplicaID{Workload: "web", Slot: fleet.Slot(i)}].Generation != 1 {
			err = fmt.Errorf("replica %d is not there", i)
		}
		return err
	})
	s.ok(errors.Join(errs...))
	s.ok(s.reopen().BreakLock(s.ctx, "one"))
	var c state.Changes
	c.DeleteReplica(fleet.ReplicaID{Workload: "web"})
	s.is(w.Commit(s.ctx, c), state.ErrFenced)
	s.is(w.Commit(s.ctx, c), state.ErrFenced)
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	s.is(w.Commit(ctx, c), context.Canceled)
	snap, err := state.Load(s.ctx, s)
	s.ok(err)
	if len(snap.Replicas) != n {
		s.Errorf("%d replicas, want %d", len(snap.Replicas), n)
	}
}
