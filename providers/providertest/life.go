package providertest

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

func testLife(t *testing.T, b *bench) {
	id := b.created(t)
	steps := []struct {
		name string
		do   func() error
		want fleet.Phase
	}{
		{"stop what never ran", func() error { return b.Engine.Stop(b.ctx, id, "", time.Second) }, fleet.PhaseCreated},
		{"start", func() error { return b.Engine.Start(b.ctx, id) }, fleet.PhaseRunning},
		{"start again", func() error { return b.Engine.Start(b.ctx, id) }, fleet.PhaseRunning},
		{"stop", func() error { return b.Engine.Stop(b.ctx, id, "", 10*time.Second) }, fleet.PhaseExited},
		{"stop again", func() error { return b.Engine.Stop(b.ctx, id, "", time.Second) }, fleet.PhaseExited},
		{"start once more", func() error { return b.Engine.Start(b.ctx, id) }, fleet.PhaseRunning},
	}
	for _, s := range steps {
		ok(t, s.name, s.do())
		if got := b.inspect(t, id).Phase; got != s.want {
			t.Errorf("after %s: got %s, want %s", s.name, got, s.want)
		}
	}
	if b.inspect(t, id).Started.IsZero() {
		t.Error("it has no time of its start")
	}
	for _, what := range []string{"remove while it runs", "remove again"} {
		ok(t, what, b.Engine.Remove(b.ctx, id))
	}
	if n := len(b.observe(t).Containers); n != 0 {
		t.Errorf("%d containers left", n)
	}
	ok(t, "stop what is gone", b.Engine.Stop(b.ctx, id, "", time.Second))
	if again := b.created(t); again == id {
		t.Error("an id was used again")
	}
}

func testGone(t *testing.T, b *bench) {
	id := b.created(t)
	ok(t, "remove", b.Engine.Remove(b.ctx, id))
	_, err := b.Engine.Inspect(b.ctx, id)
	want(t, "inspect", err, providers.ErrNotFound)
	_, err = b.Engine.FindName(b.ctx, string(b.name)+"-web-0-g1")
	want(t, "find", err, providers.ErrNotFound)
	want(t, "start", b.Engine.Start(b.ctx, id), providers.ErrNotFound)
	want(t, "unpause", b.Engine.Unpause(b.ctx, id), providers.ErrNotFound)
	want(t, "rename", b.Engine.Rename(b.ctx, id, string(b.name)+"-x"), providers.ErrNotFound)
	want(t, "update", b.Engine.Update(b.ctx, id, fleet.Limits{}, fleet.RestartNo), providers.ErrNotFound)
	want(t, "signal", b.Engine.Signal(b.ctx, id, "HUP"), providers.ErrNotFound)
	files := []fleet.File{{Path: "/f", Mode: 0o644}}
	want(t, "write files", b.Engine.WriteFiles(b.ctx, id, files, nil), providers.ErrNotFound)
	want(t, "connect", b.Engine.Connect(b.ctx, id, "bridge", nil), providers.ErrNotFound)
	want(t, "disconnect", b.Engine.Disconnect(b.ctx, id, "bridge"), providers.ErrNotFound)
	want(t, "logs", b.Engine.Logs(b.ctx, id, providers.LogOptions{}, func(providers.LogLine) error { return nil }), providers.ErrNotFound)
	_, err = b.Engine.Exec(b.ctx, id, providers.ExecRequest{Command: []string{"/probe"}})
	want(t, "exec", err, providers.ErrNotFound)
}

func published(host uint16) func(*providers.CreateRequest) {
	return func(r *providers.CreateRequest) {
		r.Spec.Ports = []fleet.Port{
			{Name: "http", Container: 8080, Policy: fleet.PortAuto, Protocol: "tcp"},
			{Name: "inside", Container: 9090, Protocol: "udp"},
		}
		r.Instance.HostPorts = map[string]uint16{"http": host}
	}
}

func testPortTaken(t *testing.T, b *bench) {
	const port = 28417
	first := b.started(t, published(port))
	second := b.created(t, slot(1), published(port))
	err := b.Engine.Start(b.ctx, second)
	want(t, "start", err, providers.ErrPortTaken)
	if err != nil && !strings.Contains(err.Error(), strconv.Itoa(port)) {
		t.Errorf("%v does not name the port", err)
	}
	for id, phase := range map[string]fleet.Phase{first: fleet.PhaseRunning, second: fleet.PhaseCreated} {
		c := b.inspect(t, id)
		if c.Phase != phase {
			t.Errorf("got %s, want %s", c.Phase, phase)
		}
		want := []fleet.PublishedPort{{Host: port, Container: 8080, Protocol: "tcp"}}
		if d := cmp.Diff(want, c.HostPorts); d != "" {
			t.Errorf("%s: host ports (-want +got):\n%s", phase, d)
		}
	}
	ok(t, "stop", b.Engine.Stop(b.ctx, first, "", 10*time.Second))
	ok(t, "start once it is free", b.Engine.Start(b.ctx, second))
}

func testStop(t *testing.T, b *bench) {
	for i, c := range []struct {
		name    string
		verb    string
		own     string // the spec's stop signal
		signal  string
		timeout time.Duration
		status  int
	}{
		{"by its own signal", "serve", "", "", 20 * time.Second, 0},
		{"by the spec's signal", "serve", "SIGINT", "", 20 * time.Second, 4},
		{"by another signal", "serve", "", "SIGUSR2", 20 * time.Second, 3},
		{"by a kill", "stubborn", "", "", time.Second, 137},
		{"by a kill after another signal", "stubborn", "", "SIGHUP", time.Second, 137},
	} {
		id := b.started(t, slot(i), command(c.verb), func(r *providers.CreateRequest) {
			r.Spec.StopSignal, r.Spec.Restart = c.own, fleet.RestartAlways
		})
		b.serving(t, id)
		begin := time.Now()
		ok(t, c.name, b.Engine.Stop(b.ctx, id, c.signal, c.timeout))
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("%s: took %s", c.name, took)
		}
		if seen := b.inspect(t, id); seen.Phase != fleet.PhaseExited || seen.ExitCode != c.status {
			t.Errorf("%s: got %s with %d, want exited with %d", c.name, seen.Phase, seen.ExitCode, c.status)
		}
	}
}

// serving waits until a container has said that it serves: signals before that find no handler.
func (b *bench) serving(t *testing.T, id string) {
	t.Helper()
	b.eventually(t, "the container serves", func() bool { return len(b.logs(t, id, -1)) > 0 })
}

func testSignal(t *testing.T, b *bench) {
	id := b.created(t, func(r *providers.CreateRequest) { r.Spec.Restart = fleet.RestartAlways })
	want(t, "before it runs", b.Engine.Signal(b.ctx, id, "HUP"), providers.ErrNotRunning)
	ok(t, "start", b.Engine.Start(b.ctx, id))
	b.serving(t, id)
	for _, s := range []string{"SIGUSR1", "HUP"} {
		ok(t, s, b.Engine.Signal(b.ctx, id, s))
	}
	b.eventually(t, "both signals arrive", func() bool { return len(b.logs(t, id, -1)) == 3 })
	if c := b.inspect(t, id); c.Phase != fleet.PhaseRunning || c.Restart != fleet.RestartAlways {
		t.Errorf("got %s, restart %s", c.Phase, c.Restart)
	}
	ok(t, "stop", b.Engine.Stop(b.ctx, id, "", 10*time.Second))
	want(t, "after it ran", b.Engine.Signal(b.ctx, id, "HUP"), providers.ErrNotRunning)
}

func testPause(t *testing.T, b *bench) {
	id := b.started(t)
	ok(t, "unpause what runs", b.Engine.Unpause(b.ctx, id))
	ok(t, "pause", b.Pause(b.ctx, id))
	if got := b.inspect(t, id).Phase; got != fleet.PhasePaused {
		t.Fatalf("got %s, want paused", got)
	}
	ok(t, "unpause", b.Engine.Unpause(b.ctx, id))
	if got := b.inspect(t, id).Phase; got != fleet.PhaseRunning {
		t.Errorf("got %s, want running", got)
	}
	ok(t, "pause", b.Pause(b.ctx, id))
	ok(t, "stop what is paused", b.Engine.Stop(b.ctx, id, "", time.Second))
	if got := b.inspect(t, id).Phase; got != fleet.PhaseExited {
		t.Errorf("got %s, want exited", got)
	}
}

func testRename(t *testing.T, b *bench) {
	one, two := b.created(t), b.created(t, slot(1))
	own, other := b.inspect(t, one).Name, b.inspect(t, two).Name
	ok(t, "to a free name", b.Engine.Rename(b.ctx, one, string(b.name)+"-free"))
	_, err := b.Engine.FindName(b.ctx, own)
	want(t, "the old name", err, providers.ErrNotFound)
	ok(t, "back", b.Engine.Rename(b.ctx, one, own))
	ok(t, "to the name that it has", b.Engine.Rename(b.ctx, one, own))
	want(t, "to a taken name", b.Engine.Rename(b.ctx, one, other), providers.ErrNameTaken)
	if got := b.inspect(t, one).Name; got != own {
		t.Errorf("got %s, want %s", got, own)
	}
}

func testUpdate(t *testing.T, b *bench) {
	id := b.started(t, func(r *providers.CreateRequest) {
		r.Spec.Restart = fleet.RestartNo
		r.Spec.Limits = fleet.Limits{CPU: 500, Memory: 64 * fleet.MiB, PidsLimit: 100}
	})
	before := b.inspect(t, id)
	if d := cmp.Diff(fleet.Limits{CPU: 500, Memory: 64 * fleet.MiB, PidsLimit: 100}, before.Limits); d != "" {
		t.Errorf("as created (-want +got):\n%s", d)
	}
	for _, c := range []struct {
		name    string
		limits  fleet.Limits
		restart fleet.Restart
	}{
		{"more than twice as much", fleet.Limits{CPU: 1000, Memory: 256 * fleet.MiB, PidsLimit: 200}, fleet.RestartAlways},
		{"again", fleet.Limits{CPU: 1000, Memory: 256 * fleet.MiB, PidsLimit: 200}, fleet.RestartAlways},
		{"less", fleet.Limits{CPU: 250, Memory: 32 * fleet.MiB, PidsLimit: 50}, fleet.RestartOnFailure},
		{"no limits", fleet.Limits{}, fleet.RestartNo},
		{"limits again", fleet.Limits{CPU: 100, Memory: 48 * fleet.MiB, PidsLimit: 60}, fleet.RestartAlways},
	} {
		ok(t, c.name, b.Engine.Update(b.ctx, id, c.limits, c.restart))
		after := b.inspect(t, id)
		if after.Limits != c.limits || after.Restart != c.restart {
			t.Errorf("%s: got %+v %s, want %+v %s", c.name, after.Limits, after.Restart, c.limits, c.restart)
		}
		if after.Phase != fleet.PhaseRunning || !after.Started.Equal(before.Started) {
			t.Errorf("%s: the container was not left running", c.name)
		}
	}
	ok(t, "stop", b.Engine.Stop(b.ctx, id, "", 10*time.Second))
	ok(t, "while it does not run", b.Engine.Update(b.ctx, id, fleet.Limits{Memory: 64 * fleet.MiB}, fleet.RestartNo))
	if got := b.inspect(t, id).Limits; got != (fleet.Limits{Memory: 64 * fleet.MiB}) {
		t.Errorf("got %+v", got)
	}
}

func testRestart(t *testing.T, b *bench) {
	for i, c := range []struct {
		policy, reads fleet.Restart
		status        string
		again         bool // it is started again when it ends
	}{
		{"", fleet.RestartNo, "1", false},
		{fleet.RestartNo, fleet.RestartNo, "1", false},
		{fleet.RestartOnFailure, fleet.RestartOnFailure, "0", false},
		{fleet.RestartOnFailure, fleet.RestartOnFailure, "5", true},
		{fleet.RestartAlways, fleet.RestartAlways, "0", true},
	} {
		id := b.started(t, slot(i), command("exit", c.status), func(r *providers.CreateRequest) { r.Spec.Restart = c.policy })
		if got := b.inspect(t, id).Restart; got != c.reads {
			t.Errorf("policy %q: reads as %q, want %q", c.policy, got, c.reads)
		}
		if c.again {
			b.eventually(t, "it is started again", func() bool { return b.inspect(t, id).Restarts > 0 })
			ok(t, "stop it between two starts", b.Engine.Stop(b.ctx, id, "", time.Second))
			b.ends(t, id)
			continue
		}
		if seen := b.ends(t, id); strconv.Itoa(seen.ExitCode) != c.status || seen.Restarts != 0 {
			t.Errorf("policy %q: ended with %d after %d restarts", c.policy, seen.ExitCode, seen.Restarts)
		}
	}
}
