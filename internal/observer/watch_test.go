package observer_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/stowage-run/stowage/internal/observer"
	"github.com/stowage-run/stowage/internal/testfleet"
	"github.com/stowage-run/stowage/internal/webimage"
)

var shared = testfleet.Shared{Hosts: 2}

func TestMain(m *testing.M) { shared.Main(m) }

const (
	tag  = "stowage-observer:1"
	uuid = "0c4f6e1e-5d0f-4c7b-9a55-6f1d2c3b4a59"
)

// fleet returns the shared hosts with an image on them, and what an observer has to know of them.
func fleet(t *testing.T) (*testfleet.Fleet, []observer.Host) {
	t.Helper()
	f := shared.Fleet(t)
	archive := filepath.Join(t.TempDir(), "web.tar")
	if err := (webimage.Image{Tag: tag, Version: "1"}).WriteFile(t.Context(), archive); err != nil {
		t.Fatal(err)
	}
	var hosts []observer.Host
	for _, h := range f.Hosts {
		if err := h.LoadImage(t.Context(), archive); err != nil {
			t.Fatal(err)
		}
		hosts = append(hosts, observer.Host{Name: h.Name, Socket: h.Socket, Addr: h.Addr})
	}
	return f, hosts
}

func docker(t *testing.T, h *testfleet.Host, args ...string) string {
	t.Helper()
	out, err := h.Docker(t.Context(), args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// run starts a replica as Stowage would; the test removes it.
func run(t *testing.T, h *testfleet.Host, name, slot, generation string) {
	t.Helper()
	docker(t, h, "run", "-d", "--name", name, "-p", h.Addr+"::8080", "--label", "stowage.fleet="+uuid, "--label", "stowage.workload=web",
		"--label", "stowage.slot="+slot, "--label", "stowage.generation="+generation, "--label", "stowage.revision=r"+generation, tag)
	t.Cleanup(func() {
		if _, err := h.Docker(context.WithoutCancel(t.Context()), "rm", "-f", "-v", name); err != nil {
			t.Error(err)
		}
	})
}

func await(t *testing.T, w *observer.Observer, what string, condition func(observer.Timeline) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := w.Await(ctx, condition); err != nil {
		t.Fatalf("waiting for %s: %v\n%s", what, err, w.Timeline().Changes())
	}
}

// state is whether the latest answers have a container in a state.
func state(name, state string, health observer.Health) func(observer.Timeline) bool {
	return func(l observer.Timeline) bool {
		now, _ := l.At(time.Now())
		for _, c := range now {
			if c.Name == name {
				return c.State == state && c.Health == health
			}
		}
		return state == ""
	}
}

func TestHosts(t *testing.T) {
	f, hosts := fleet(t)
	before := goleak.IgnoreCurrent()
	h1, h2 := f.Hosts[0], f.Hosts[1]
	docker(t, h1, "run", "-d", "--name", "foreign", tag)
	t.Cleanup(func() { h1.Docker(context.WithoutCancel(t.Context()), "rm", "-f", "foreign") })
	around, err := observer.LookAround(t.Context(), hosts, observer.ByFleet(uuid), uuid)
	if err != nil {
		t.Fatal(err)
	}

	w := observer.Watch(t.Context(), observer.Config{Hosts: hosts, Ours: observer.ByFleet(uuid), Probe: observer.Published(8080, "/healthz")})
	run(t, h1, "obs-web-0-g1", "0", "1")
	run(t, h2, "obs-web-1-g1", "1", "1")
	await(t, w, "two healthy ones", func(l observer.Timeline) bool {
		return state("obs-web-0-g1", "running", observer.Healthy)(l) && state("obs-web-1-g1", "running", observer.Healthy)(l)
	})
	steady := time.Now()
	now, _ := w.Timeline().At(steady)
	var urls []string
	for _, c := range now {
		urls = append(urls, "http://"+c.Ports[0].Addr+"/")
	}
	traffic := observer.Load(t.Context(), func() []string { return urls }, 20*time.Millisecond)

	run(t, h1, "obs-web-0-g2", "0", "2")
	await(t, w, "the new one", state("obs-web-0-g2", "running", observer.Healthy))
	both := time.Now()
	docker(t, h2, "kill", "obs-web-1-g1")
	await(t, w, "the end of one", state("obs-web-1-g1", "exited", observer.Unhealthy))
	docker(t, h1, "rm", "-f", "obs-web-0-g1")
	await(t, w, "the old one to go", state("obs-web-0-g1", "", ""))
	end := time.Now()
	await(t, w, "a look after the end", func(l observer.Timeline) bool { return l.Observed().To.After(end) })
	requests, seen := traffic.Close(), w.Close()
	goleak.VerifyNone(t, before)

	show := func() string { return seen.Changes() }
	if gaps := seen.Gaps(observer.Span{}); len(gaps) > 0 {
		t.Errorf("gaps: %v", gaps)
	}
	if got := seen.Floor("web", 2, observer.Span{From: steady, To: both}); len(got) > 0 {
		t.Errorf("two were healthy all the time, got %v\n%s", got, show())
	}
	if got := seen.Floor("web", 2, observer.Span{From: steady}); len(got) != 1 || !got[0].To.After(both) {
		t.Errorf("one was killed, got violations %v\n%s", got, show())
	}
	if low, high := observer.Most(seen.Live("web", observer.Span{})); low != 3 || high != 3 {
		t.Errorf("most live: %d..%d, want 3\n%s", low, high, show())
	}
	if got := seen.Ceiling("web", 2, observer.Span{}); len(got) != 1 || len(got[0].Containers) != 3 {
		t.Errorf("three were live, got %v\n%s", got, show())
	}
	if got := seen.Overlaps("web", observer.Span{}); len(got) != 1 || !strings.Contains(got[0].What, "web[0]") {
		t.Errorf("web[0] had two generations at once, got %v\n%s", got, show())
	}
	if diff := cmp.Diff(map[string]int{"r2": 1}, seen.Revisions("web", end)); diff != "" {
		t.Errorf("revisions at the end (-want +got):\n%s", diff)
	}
	if got := seen.Rest(end, map[string]int{"web": 2}); len(got) != 1 || !strings.HasPrefix(got[0].What, "web[1]: none is live") {
		t.Errorf("at rest: %v, want the killed one only", got)
	}
	if failed := requests.Failed; len(failed) == 0 || failed[0].From.Before(both) || requests.Answered[urls[0]] == 0 {
		t.Errorf("requests: %v failed, want those after the kill; answered %v", failed, requests.Answered)
	}

	docker(t, h1, "restart", "-t", "0", "foreign")
	docker(t, h2, "volume", "create", "left")
	t.Cleanup(func() { h2.Docker(context.WithoutCancel(t.Context()), "volume", "rm", "left") })
	later, err := observer.LookAround(t.Context(), hosts, observer.ByFleet(uuid), uuid)
	if err != nil {
		t.Fatal(err)
	}
	touched := observer.Touched(around, later)
	if len(touched) != 2 || !strings.HasPrefix(touched[0], "h1 container foreign: was ") || touched[1] != "h2 volume left: new" {
		t.Errorf("touched: %q, want the container that was restarted and the new volume", touched)
	}
}

// An engine that is frozen accepts and is silent; that is a gap for it and nothing for the other.
func TestFrozenEngine(t *testing.T) {
	f, hosts := fleet(t)
	h1 := f.Hosts[0]
	run(t, h1, "obs-web-0-g1", "0", "1")
	w := observer.Watch(t.Context(), observer.Config{
		Hosts: hosts, Ours: observer.ByFleet(uuid), Probe: observer.Published(8080, "/healthz"), Timeout: 500 * time.Millisecond})
	await(t, w, "a healthy one", state("obs-web-0-g1", "running", observer.Healthy))
	if err := h1.FreezeEngine(t.Context()); err != nil {
		t.Fatal(err)
	}
	silent := func(l observer.Timeline) bool {
		_, silent := l.At(time.Now())
		return cmp.Equal(silent, []string{"h1"})
	}
	await(t, w, "silence", silent)
	if err := h1.ThawEngine(t.Context()); err != nil {
		t.Fatal(err)
	}
	await(t, w, "an answer", state("obs-web-0-g1", "running", observer.Healthy))
	thawed := time.Now()
	await(t, w, "a look at all", func(l observer.Timeline) bool { return l.Observed().To.After(thawed) })
	seen := w.Close()
	gaps := seen.Gaps(observer.Span{})
	if len(gaps) != 1 || gaps[0].Host != "h1" || !strings.Contains(gaps[0].Err, "deadline") {
		t.Errorf("gaps %v, want one of h1", gaps)
	}
	healthy := time.Time{}
	for _, l := range seen.Looks {
		if healthy.IsZero() && len(l.Containers) == 1 && l.Containers[0].Health == observer.Healthy {
			healthy = l.To
		}
	}
	if got := seen.Floor("web", 1, observer.Span{From: healthy}); len(got) > 0 {
		t.Errorf("what is not known was taken for unhealthy: %v\n%s", got, seen.Changes())
	}
	if low, high := observer.Least(seen.Healthy("web", observer.Span{From: healthy})); low != 0 || high != 1 {
		t.Errorf("least healthy %d..%d, want 0..1: nothing is sure in the gap", low, high)
	}
}

// serveEngine answers at a unix socket.
func serveEngine(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "engine.sock")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: handler}}
	s.Start()
	t.Cleanup(s.Close)
	return socket
}

// A 500, an answer that is cut off and one that is no list are all no answer.
func TestAnswersThatAreNone(t *testing.T) {
	var turn atomic.Int64
	socket := serveEngine(t, func(w http.ResponseWriter, _ *http.Request) {
		switch turn.Add(1) {
		case 1:
			http.Error(w, "out of order", http.StatusInternalServerError)
		case 2:
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("[]"))
		case 3:
			w.Write([]byte("{}"))
		default:
			w.Write([]byte(`[{"Id":"1","Names":["/other/db","/shop-web-0-g1"],"State":"running"},{"Id":"2","Names":["/else"]}]`))
		}
	})
	w := observer.Watch(t.Context(), observer.Config{Hosts: []observer.Host{{Name: "h1", Socket: socket}}, Ours: observer.ByName("shop")})
	await(t, w, "a list", func(l observer.Timeline) bool { return len(l.Looks) == 4 })
	seen := w.Close()
	var got []string
	for _, l := range seen.Looks[:4] {
		what := l.Err
		for _, c := range l.Containers {
			what += c.String()
		}
		got = append(got, what)
	}
	for i, want := range []string{"500", "unexpected EOF", "cannot unmarshal", "h1/shop-web-0-g1 running"} {
		if !strings.Contains(got[i], want) {
			t.Errorf("look %d is %q, want %q in it", i, got[i], want)
		}
	}
}

func TestLoad(t *testing.T) {
	before := goleak.IgnoreCurrent()
	var broken atomic.Bool
	var once sync.Once
	hung, release := make(chan bool), make(chan bool)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path == "/hang":
			once.Do(func() { close(hung) })
			<-release
		case broken.Load():
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	turn := make(chan bool)
	traffic := observer.Load(t.Context(), func() []string {
		turn <- true
		return []string{server.URL, server.URL + "/hang"}
	}, time.Millisecond)
	<-turn
	<-hung // and the loop goes on
	for range 20 {
		<-turn
	}
	broken.Store(true)
	for range 20 {
		<-turn
	}
	go func() {
		for range turn {
		}
	}()
	got := traffic.Close()
	close(turn)
	close(release)
	server.Close()
	if got.Answered[server.URL] == 0 || len(got.Failed) == 0 {
		t.Errorf("%d answered, %d failed, want some of both", got.Answered[server.URL], len(got.Failed))
	}
	for _, f := range got.Failed {
		if f.URL != server.URL || !strings.Contains(f.Err, "503") || f.From.IsZero() || f.To.Before(f.From) {
			t.Errorf("failure %v, want a 503 of /", f)
		}
	}
	goleak.VerifyNone(t, before)
}
