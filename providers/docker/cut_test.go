package docker_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/internal/testfleet"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/docker"
	"github.com/stowage-run/stowage/providers/remote"
	"github.com/stowage-run/stowage/providers/remote/local"
)

// faulty is a connection that can refuse streams, or lose the answers on all of them. As that of a host it
// gives *remote.Error in both cases, and when it refuses new streams, the old ones are gone.
type faulty struct {
	remote.Conn
	mu           sync.Mutex // guards what follows
	refuse, lose bool
	open         []net.Conn
}

// set begins or ends the faults. A look that failed leaves streams behind that its other requests had asked for and no longer
// wait for: the transport keeps those for the next request, which would then be sent while new streams are refused. So refusing
// closes all there are, and one that is being opened meanwhile is closed before it is handed out.
func (f *faulty) set(refuse, lose bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refuse, f.lose = refuse, lose
	if refuse {
		for _, c := range f.open {
			c.Close()
		}
		f.open = nil
	}
}

func (f *faulty) loses() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.lose
}

func lost() error {
	return &remote.Error{Host: "h1", Stage: remote.StageChannel, Class: remote.ErrUnreachable, Err: errors.New("cut")}
}

func (f *faulty) DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := f.Conn.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse {
		c.Close()
		return nil, lost()
	}
	f.open = append(f.open, c)
	return &losing{c, f}, nil
}

type losing struct {
	net.Conn
	f *faulty
}

func (l *losing) Read(p []byte) (int, error) {
	n, err := l.Conn.Read(p)
	if n > 0 && l.f.loses() {
		return 0, lost()
	}
	return n, err
}

func request() providers.CreateRequest {
	return providers.CreateRequest{
		Instance: fleet.Instance{
			Fleet: "10000000-0000-4000-8000-000000000001", FleetName: "own", Replica: fleet.ReplicaID{Workload: "web"},
			Generation: 1, Revision: "v1:aa", Release: 1,
		},
		Spec: fleet.Spec{Image: shared.image, Command: []string{"serve"}},
		Op:   "op",
	}
}

// sweep removes what tests of this fleet left.
func sweep(t *testing.T, h *testfleet.Host) {
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		e, err := docker.New(ctx, docker.Config{Conn: local.New(h.Name), Socket: h.Socket})
		if err != nil {
			t.Error(err)
			return
		}
		defer e.Close()
		o, err := e.Observe(ctx, providers.Query{Fleet: request().Instance.Fleet})
		if err != nil {
			t.Error(err)
			return
		}
		for _, c := range o.Containers {
			if err := e.Remove(ctx, c.ID); err != nil {
				t.Error(err)
			}
		}
	})
}

// An answer that is lost leaves the outcome unknown, however the connection words the loss; a stream that
// was never opened leaves nothing.
func TestLostAnswerIsUnknown(t *testing.T) {
	h, _ := shared.hosts(t)
	sweep(t, h)
	f := &faulty{Conn: local.New(h.Name)}
	e := engine(t, f, h.Socket)
	if _, err := e.Observe(t.Context(), providers.Query{}); err != nil { // so that the create is one request
		t.Fatal(err)
	}
	f.set(false, true)
	_, err := e.Create(t.Context(), request())
	if !errors.Is(err, providers.ErrUnknown) || errors.Is(err, providers.ErrUnreachable) {
		t.Errorf("lost answer: got %v, want ErrUnknown", err)
	}
	if _, err := e.Observe(t.Context(), providers.Query{}); err == nil || errors.Is(err, providers.ErrUnknown) {
		t.Errorf("lost look: got %v", err)
	}
	f.set(true, true)
	if _, err := e.Create(t.Context(), request()); !errors.Is(err, providers.ErrUnreachable) || errors.Is(err, providers.ErrUnknown) {
		t.Errorf("no stream: got %v, want ErrUnreachable", err)
	}
	f.set(false, false)
	if _, err := e.FindName(t.Context(), "own-web-0-g1"); err != nil {
		t.Errorf("the container whose answer was lost: %v", err)
	}
	if _, err := e.Create(t.Context(), request()); err != nil {
		t.Errorf("create again: %v", err)
	}
}

// A container of ours that was sent a signal still heals.
func TestSignalledContainerHeals(t *testing.T) {
	h, _ := shared.hosts(t)
	sweep(t, h)
	e := overSocket(t, h)
	r := request()
	r.Spec.Restart = fleet.RestartAlways
	r.Spec.Files = []fleet.File{{Path: "/etc/f", Mode: 0o644, OnChange: "signal:HUP"}}
	id, err := e.Create(t.Context(), r)
	if err == nil {
		err = e.Start(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	wait(t, "it serves", func() bool {
		said := false
		err := e.Logs(t.Context(), id, providers.LogOptions{Tail: -1}, func(providers.LogLine) error { said = true; return nil })
		return err == nil && said
	})
	if err := e.Signal(t.Context(), id, "HUP"); err != nil {
		t.Fatal(err)
	}
	// The command may or may not live to give its status.
	_, _ = e.Exec(t.Context(), id, providers.ExecRequest{Command: []string{"/probe", "crash"}})
	wait(t, "it is started again", func() bool {
		c, err := e.Inspect(t.Context(), id)
		return err == nil && c.Restarts > 0
	})
}

// A stranger's container with our label and nothing else must not hide the host.
func TestDamagedLabelsAreForeign(t *testing.T) {
	h, _ := shared.hosts(t)
	e := overSocket(t, h)
	r := request()
	made, err := h.API().ContainerCreate(t.Context(), &container.Config{
		Image: shared.image.ID, Labels: map[string]string{fleet.LabelFleet: string(r.Instance.Fleet)},
	}, nil, nil, nil, "own-damaged")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Remove(t.Context(), made.ID); err != nil {
			t.Error(err)
		}
	}()
	o, err := e.Observe(t.Context(), providers.Query{Fleet: r.Instance.Fleet})
	if err != nil {
		t.Fatal(err)
	}
	if len(o.Containers) != 0 || len(o.Foreign) == 0 {
		t.Errorf("got %d ours, %d foreign", len(o.Containers), len(o.Foreign))
	}
}

// Files that cannot be put where they belong are refused before anything is made.
func TestFilesThatDoNotFit(t *testing.T) {
	h, _ := shared.hosts(t)
	sweep(t, h)
	e := overSocket(t, h)
	for name, edit := range map[string]func(*fleet.Spec){
		"read-only": func(s *fleet.Spec) { s.ReadOnly = true },
		"hidden":    func(s *fleet.Spec) { s.Mounts = []fleet.Mount{{Target: "/etc", Kind: fleet.MountTmpfs}} },
	} {
		r := request()
		r.Spec.Files = []fleet.File{{Path: "/etc/f", Mode: 0o644}}
		edit(&r.Spec)
		if _, err := e.Create(t.Context(), r); !errors.Is(err, providers.ErrUnsupported) {
			t.Errorf("%s: got %v, want ErrUnsupported", name, err)
		}
		if _, err := e.FindName(t.Context(), "own-web-0-g1"); !errors.Is(err, providers.ErrNotFound) {
			t.Errorf("%s: it left a container: %v", name, err)
		}
	}
}

func wait(t *testing.T, what string, look func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
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
