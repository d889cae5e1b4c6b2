package fake_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/fake"
)

const id = fleet.ID("11111111-1111-4111-8111-111111111111")

func request(slot int) providers.CreateRequest {
	return providers.CreateRequest{
		Instance: fleet.Instance{
			Fleet: id, FleetName: "shop", Generation: 1, Revision: "v1:aa", Release: 1,
			Replica: fleet.ReplicaID{Workload: "web", Slot: fleet.Slot(slot)},
		},
		Spec: fleet.Spec{Image: fleet.Image{Ref: "web:1"}, Restart: fleet.RestartAlways},
		Op:   "op",
	}
}

func connect(t *testing.T, w *fake.World, h fleet.HostName) providers.Engine {
	t.Helper()
	e, err := w.Engine(t.Context(), fleet.Host{Name: h})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func world(hosts ...fleet.HostName) *fake.World {
	w := fake.NewWorld(nil, hosts...)
	for _, h := range w.Hosts() {
		h.AddImage("web:1", fake.NewImage("web"))
	}
	return w
}

func TestCutAfterTakesEffect(t *testing.T) {
	w := world("a")
	e := connect(t, w, "a")
	w.Inject(fake.Fault{Op: fake.OpCreate, Object: "shop-web-0-g1", Kind: fake.CutAfter, Times: 1})
	if _, err := e.Create(t.Context(), request(0)); !errors.Is(err, providers.ErrUnknown) {
		t.Fatalf("got %v, want ErrUnknown", err)
	}
	c, ok := w.Host("a").Container("shop-web-0-g1")
	if !ok {
		t.Fatal("the container was not created")
	}
	again, err := e.Create(t.Context(), request(0))
	if err != nil || again != c.ID {
		t.Errorf("second create: got %q, %v; want %q", again, err, c.ID)
	}
}

func TestCutBeforeDoesNot(t *testing.T) {
	w := world("a")
	e := connect(t, w, "a")
	w.Inject(fake.Fault{Kind: fake.CutBefore, Times: 1})
	if _, err := e.Create(t.Context(), request(0)); !errors.Is(err, providers.ErrUnknown) {
		t.Fatalf("got %v, want ErrUnknown", err)
	}
	if got := w.Host("a").Containers(); len(got) != 0 {
		t.Errorf("got %d containers, want none", len(got))
	}
}

func TestFailNTimes(t *testing.T) {
	w := world("a")
	e := connect(t, w, "a")
	w.Inject(fake.Fault{Op: fake.OpCreate, Kind: fake.Fail, Err: providers.ErrNoSpace, Times: 2})
	var got []string
	for range 3 {
		_, err := e.Create(t.Context(), request(0))
		got = append(got, fmt.Sprint(err))
	}
	want := []string{
		"create shop-web-0-g1: no space on the host", "create shop-web-0-g1: no space on the host", "<nil>",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestKillAt(t *testing.T) {
	for _, when := range []fake.When{fake.Before, fake.After} {
		w := world("a")
		e := connect(t, w, "a")
		w.KillAt(2, when)
		for i := range 3 {
			if _, err := e.Create(t.Context(), request(i)); err == nil && w.Killed() {
				t.Errorf("create %d was done by a process that was killed", i)
			}
		}
		if !w.Killed() {
			t.Error("not killed")
		}
		if _, err := e.Observe(t.Context(), providers.Query{}); !errors.Is(err, fake.ErrKilled) {
			t.Errorf("observe: got %v, want ErrKilled", err)
		}
		if got, want := len(w.Host("a").Containers()), 1+int(when); got != want {
			t.Errorf("%v: got %d containers, want %d", when, got, want)
		}
		w.Revive()
		if _, err := e.Create(t.Context(), request(2)); err != nil {
			t.Error(err)
		}
	}
}

func TestHookMayLookAndCancel(t *testing.T) {
	w := world("a")
	e := connect(t, w, "a")
	ctx, cancel := context.WithCancel(t.Context())
	var seen []fake.Call
	w.SetHook(fake.Hook{Before: func(c fake.Call) error {
		w.Host("a").Containers()
		seen = append(seen, c)
		cancel()
		return nil
	}})
	if _, err := e.Create(ctx, request(0)); !errors.Is(err, context.Canceled) || errors.Is(err, providers.ErrUnknown) {
		t.Errorf("got %v, want a clean cancellation", err)
	}
	want := []fake.Call{{N: 2, Change: 1, Op: fake.OpCreate, Host: "a", Object: "shop-web-0-g1"}}
	if d := cmp.Diff(want, seen); d != "" {
		t.Error(d)
	}
	if n := w.Counts()[fake.OpCreate]; n != 1 {
		t.Errorf("got %d creates counted, want 1", n)
	}
}

func TestHangEndsWithContext(t *testing.T) {
	w := world("a")
	e := connect(t, w, "a")
	w.Inject(fake.Fault{Op: fake.OpObserve, Kind: fake.Hang})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := e.Observe(ctx, providers.Query{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want DeadlineExceeded", err)
	}
}

func TestDown(t *testing.T) {
	w := world("a")
	e := connect(t, w, "a")
	w.Host("a").SetDown(true)
	if _, err := e.Create(t.Context(), request(0)); !errors.Is(err, providers.ErrUnreachable) {
		t.Errorf("create: got %v, want ErrUnreachable", err)
	}
	if _, err := w.Engine(t.Context(), fleet.Host{Name: "a"}); !errors.Is(err, providers.ErrUnreachable) {
		t.Errorf("connect: got %v, want ErrUnreachable", err)
	}
	if _, err := w.Engine(t.Context(), fleet.Host{Name: "b"}); !errors.Is(err, providers.ErrUnreachable) {
		t.Errorf("connect to no host: got %v, want ErrUnreachable", err)
	}
}

func TestDrift(t *testing.T) {
	w := world("a")
	h, e := w.Host("a"), connect(t, w, "a")
	cid, err := e.Create(t.Context(), request(0))
	if err != nil {
		t.Fatal(err)
	}
	name := "shop-web-0-g1"
	phase := func() fleet.Phase { c, _ := h.Container(cid2name(h, cid)); return c.Phase }
	for _, step := range []struct {
		what string
		do   func()
		want fleet.Phase
	}{
		{"start", func() { h.Start(name) }, fleet.PhaseRunning},
		{"pause", func() { h.Pause(name) }, fleet.PhasePaused},
		{"unpause", func() { _ = e.Unpause(t.Context(), cid) }, fleet.PhaseRunning},
		{"kill", func() { h.Kill(name) }, fleet.PhaseExited},
		{"start", func() { h.Start(name) }, fleet.PhaseRunning},
		{"crash", func() { h.Crash(name, 1) }, fleet.PhaseRunning},
		{"reboot", h.Reboot, fleet.PhaseRunning},
		{"rename", func() { h.Rename(name, "x") }, fleet.PhaseRunning},
		{"stop", func() { h.Stop("x") }, fleet.PhaseExited},
		{"reboot", h.Reboot, fleet.PhaseExited},
		{"remove", func() { h.Remove("x") }, ""},
	} {
		step.do()
		if got := phase(); got != step.want {
			t.Errorf("after %s: got %q, want %q", step.what, got, step.want)
		}
	}
}

func cid2name(h *fake.Host, id string) string {
	for _, c := range h.Containers() {
		if c.ID == id {
			return c.Name
		}
	}
	return ""
}

func TestExitingImage(t *testing.T) {
	for _, test := range []struct {
		restart fleet.Restart
		want    fleet.Phase
	}{{fleet.RestartAlways, fleet.PhaseRestarting}, {fleet.RestartNo, fleet.PhaseExited}} {
		w := fake.NewWorld(nil, "a")
		w.Host("a").AddImage("web:1", fake.NewImage("web").Exiting(3))
		e := connect(t, w, "a")
		r := request(0)
		r.Spec.Restart = test.restart
		cid, err := e.Create(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Start(t.Context(), cid); err != nil {
			t.Fatal(err)
		}
		c, err := e.Inspect(t.Context(), cid)
		if err != nil || c.Phase != test.want || c.ExitCode != 3 {
			t.Errorf("got %s with %d, %v; want %s with 3", c.Phase, c.ExitCode, err, test.want)
		}
	}
}

func TestRegistry(t *testing.T) {
	w := fake.NewWorld(nil, "a")
	one, two := fake.NewImage("one"), fake.NewImage("two")
	r := w.Registry()
	r.Push("ghcr.io/acme/web:1", one)
	r.Push("ghcr.io/acme/web:1", two)
	got, err := r.Digest(t.Context(), "ghcr.io/acme/web:1")
	if err != nil || got != two.Digest {
		t.Errorf("got %s, %v; want %s", got, err, two.Digest)
	}
	if _, err := r.Digest(t.Context(), "ghcr.io/acme/web:2"); !errors.Is(err, providers.ErrImageNotFound) {
		t.Errorf("got %v, want ErrImageNotFound", err)
	}
	e := connect(t, w, "a")
	image := fleet.Image{Ref: "ghcr.io/acme/web:1", Digest: one.Digest}
	if err := e.Pull(t.Context(), providers.PullRequest{Image: image}); err != nil {
		t.Fatal(err)
	}
	o, err := e.Observe(t.Context(), providers.Query{Images: []string{image.Ref}})
	if err != nil {
		t.Fatal(err)
	}
	want := []fleet.ObservedImage{{
		Ref: image.Ref, ID: one.ID, Digests: []string{one.Digest}, Created: one.Created, Arch: "amd64",
	}}
	if d := cmp.Diff(want, o.Images); d != "" {
		t.Error(d)
	}
	r.SetError(providers.ErrRegistry)
	if _, err := r.Digest(t.Context(), image.Ref); !errors.Is(err, providers.ErrRegistry) {
		t.Errorf("got %v, want ErrRegistry", err)
	}
}

// Ten thousand containers on a hundred hosts, made from a hundred goroutines: ids do not depend on
// the order of the calls.
func TestManyAtOnce(t *testing.T) {
	ids := func() map[string]bool {
		var names []fleet.HostName
		for i := range 100 {
			names = append(names, fleet.HostName(fmt.Sprintf("h%d", i)))
		}
		w := world(names...)
		all := map[string]bool{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for _, h := range names {
			e := connect(t, w, h)
			wg.Go(func() {
				for i := range 100 {
					cid, err := e.Create(t.Context(), request(i))
					if err == nil {
						err = e.Start(t.Context(), cid)
					}
					if err != nil {
						t.Error(err)
					}
				}
				o, err := e.Observe(t.Context(), providers.Query{Fleet: id})
				if err != nil || len(o.Containers) != 100 {
					t.Errorf("%s: %d containers, %v", h, len(o.Containers), err)
				}
				mu.Lock()
				defer mu.Unlock()
				for _, c := range o.Containers {
					all[c.ID] = true
				}
			})
		}
		wg.Wait()
		return all
	}
	one, two := ids(), ids()
	if len(one) != 10000 {
		t.Errorf("got %d ids, want 10000", len(one))
	}
	if d := cmp.Diff(one, two); d != "" {
		t.Error("ids differ from run to run")
	}
}

func BenchmarkObserve10000(b *testing.B) {
	w := fake.NewWorld(nil)
	var engines []providers.Engine
	for i := range 100 {
		h := w.Host(fleet.HostName(fmt.Sprintf("h%d", i)))
		h.AddImage("web:1", fake.NewImage("web"))
		e, err := w.Engine(b.Context(), fleet.Host{Name: h.Name()})
		if err != nil {
			b.Fatal(err)
		}
		for s := range 100 {
			if _, err := e.Create(b.Context(), request(s)); err != nil {
				b.Fatal(err)
			}
		}
		engines = append(engines, e)
	}
	for b.Loop() {
		for _, e := range engines {
			if _, err := e.Observe(b.Context(), providers.Query{Fleet: id, Images: []string{"web:1"}}); err != nil {
				b.Fatal(err)
			}
		}
	}
}
