// Package providertest is the conformance suite of providers.Engine: all that engine.go promises and
// that can be seen from outside. Every engine passes it.
package providertest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// Subject is an engine under test.
type Subject struct {
	Engine providers.Engine
	// Image is on the engine, under Ref and ID. Its containers behave as BuildImage's do.
	Image fleet.Image
	// Other is another engine, which does not have the image.
	Other providers.Engine
	// Pause freezes a running container.
	Pause func(ctx context.Context, id string) error
	// CutEvents breaks the open streams of events, and nothing that comes after.
	CutEvents func(t *testing.T)
	// RestartEngine ends the engine and starts it anew. Whether containers run on is the engine's business.
	RestartEngine func(ctx context.Context) error
	// Leaves are goroutines that RestartEngine leaves, for the engine and not for us.
	Leaves []goleak.Option
}

// Run runs the suite on one engine. It closes both engines and looks for goroutines that they leave. newSubject is called once.
func Run(t *testing.T, newSubject func(t *testing.T) Subject) {
	before := goleak.IgnoreCurrent()
	s := newSubject(t)
	for _, c := range []struct {
		name string
		test func(*testing.T, *bench)
	}{
		{"create", testCreate},
		{"create is adopted", testAdopt},
		{"name taken", testNameTaken},
		{"refused create leaves nothing", testRefusedCreate},
		{"labels", testLabels},
		{"life", testLife},
		{"gone", testGone},
		{"port taken", testPortTaken},
		{"stop", testStop},
		{"signal", testSignal},
		{"pause", testPause},
		{"rename", testRename},
		{"update", testUpdate},
		{"restart policies", testRestart},
		{"environment", testEnvironment},
		{"files", testFiles},
		{"write files", testWriteFiles},
		{"networks", testNetworks},
		{"network objects", testNetworkObjects},
		{"volumes", testVolumes},
		{"observe", testObserve},
		{"images", testImages},
		{"export and import", testExportImport},
		{"logs", testLogs},
		{"follow logs", testFollowLogs},
		{"exec", testExec},
		{"dial", testDial},
		{"dial where nothing accepts", testDialRefused},
		{"dial on several networks", testDialNetworks},
		{"dial the host's network", testDialHostNetwork},
		{"dial after a restart", testDialRestarted},
		{"events", testEvents},
		{"events end", testEventsEnd},
		{"events go on", testEventsResume},
		{"cancelled", testCancelled},
		{"many at once", testMany},
		{"events are lost", testEventsGap}, // last: it starts the engine anew
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, newBench(t, s)) })
	}
	t.Run("close", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		b := &bench{Subject: s, ctx: ctx, fleet: "00000000-0000-4000-8000-000000000000"} // makes nothing
		w := b.watch(t, "", fleet.EventGap)
		for range 2 {
			if err := s.Engine.Close(); err != nil {
				t.Error(err)
			}
		}
		b.lost(t, w)
		if _, err := s.Engine.Observe(t.Context(), providers.Query{}); err == nil {
			t.Error("a closed engine observes")
		}
		ok(t, "close the other engine", s.Other.Close())
		if err := goleak.Find(append(s.Leaves, before)...); err != nil {
			t.Error(err)
		}
	})
}

// bench is one test's fleet on the engine. Its objects are removed when the test ends.
type bench struct {
	Subject
	ctx   context.Context
	fleet fleet.ID
	name  fleet.Name
}

func newBench(t *testing.T, s Subject) *bench {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	n := number()
	b := &bench{
		Subject: s, ctx: ctx,
		fleet: fleet.ID(fmt.Sprintf("00000000-0000-4000-8000-%012d", n)),
		name:  fleet.Name(fmt.Sprintf("pt%d", n)),
	}
	t.Cleanup(func() { b.clean(t) })
	return b
}

// number tells fleets apart, also from those that a run which was killed left on the engine. Tests run one
// after another, so the clock does.
func number() int64 { return time.Now().UnixNano() % 1_000_000_000_000 }

// clean removes everything of the fleet, and of the stranger of the same name.
func (b *bench) clean(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	for _, f := range []fleet.ID{b.fleet, b.stranger().fleet} {
		o, err := b.Engine.Observe(ctx, providers.Query{Fleet: f})
		if err != nil {
			t.Error(err)
			return
		}
		for _, c := range o.Containers {
			if err := b.Engine.Remove(ctx, c.ID); err != nil {
				t.Error(err)
			}
		}
		for _, v := range o.Volumes {
			if v.Fleet == f {
				if err := b.Engine.RemoveVolume(ctx, f, v.Name); err != nil {
					t.Error(err)
				}
			}
		}
		for _, n := range o.Networks {
			if n.Fleet == f {
				if err := b.Engine.RemoveNetwork(ctx, f, n.Name); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// stranger is another fleet of the same name.
func (b *bench) stranger() *bench {
	other := *b
	other.fleet = "f" + b.fleet[1:]
	return &other
}

// request is a create of slot 0 of the workload web. edit changes it first.
func (b *bench) request(edit ...func(*providers.CreateRequest)) providers.CreateRequest {
	r := providers.CreateRequest{
		Instance: fleet.Instance{
			Fleet: b.fleet, FleetName: b.name, Replica: fleet.ReplicaID{Workload: "web"},
			Generation: 1, Revision: "v1:0123456789abcdef", Release: 1,
		},
		Spec: fleet.Spec{Image: b.Image, Command: []string{"serve"}},
		Op:   "0e9c7a62-0000-4000-8000-000000000000",
	}
	for _, e := range edit {
		e(&r)
	}
	return r
}

func slot(n int) func(*providers.CreateRequest) {
	return func(r *providers.CreateRequest) { r.Instance.Replica.Slot = fleet.Slot(n) }
}

func command(args ...string) func(*providers.CreateRequest) {
	return func(r *providers.CreateRequest) { r.Spec.Command = args }
}

// created makes a container.
func (b *bench) created(t *testing.T, edit ...func(*providers.CreateRequest)) string {
	t.Helper()
	id, err := b.Engine.Create(b.ctx, b.request(edit...))
	if err != nil {
		t.Fatal(err)
	}
	if id == "" {
		t.Fatal("create gave no id")
	}
	return id
}

// started makes a container and starts it.
func (b *bench) started(t *testing.T, edit ...func(*providers.CreateRequest)) string {
	t.Helper()
	id := b.created(t, edit...)
	if err := b.Engine.Start(b.ctx, id); err != nil {
		t.Fatal(err)
	}
	return id
}

func (b *bench) inspect(t *testing.T, id string) fleet.Container {
	t.Helper()
	c, err := b.Engine.Inspect(b.ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bench) observe(t *testing.T, images ...string) *fleet.Observation {
	t.Helper()
	o, err := b.Engine.Observe(b.ctx, providers.Query{Fleet: b.fleet, Images: images})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// run executes a command and returns its status and both outputs.
func (b *bench) run(t *testing.T, id string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs strings.Builder
	status, err := b.Engine.Exec(b.ctx, id, providers.ExecRequest{
		Command: append([]string{"/probe"}, args...), Stdout: &out, Stderr: &errs,
	})
	if err != nil {
		t.Fatalf("exec %v: %v", args, err)
	}
	return status, out.String(), errs.String()
}

// output is run for a command that has to succeed.
func (b *bench) output(t *testing.T, id string, args ...string) string {
	t.Helper()
	status, stdout, stderr := b.run(t, id, args...)
	if status != 0 {
		t.Errorf("exec %v: status %d, %s", args, status, stderr)
	}
	return strings.TrimSuffix(stdout, "\n")
}

// eventually waits until look says yes, or the test's time is up.
func (b *bench) eventually(t *testing.T, what string, look func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for !look() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// ends waits until a container has ended and describes it.
func (b *bench) ends(t *testing.T, id string) (c fleet.Container) {
	t.Helper()
	b.eventually(t, "the container ends", func() bool {
		c = b.inspect(t, id)
		return c.Phase == fleet.PhaseExited
	})
	return c
}

// want checks an error's class, and that it says what was being done.
func want(t *testing.T, what string, err, class error) {
	t.Helper()
	if !errors.Is(err, class) {
		t.Errorf("%s: got %v, want %v", what, err, class)
		return
	}
	var e *providers.Error
	if !errors.As(err, &e) || e.Op == "" {
		t.Errorf("%s: %v is no *providers.Error with an operation", what, err)
	}
}

func ok(t *testing.T, what string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
}
