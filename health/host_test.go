package health_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"google.golang.org/grpc"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/health"
	"github.com/stowage-run/stowage/internal/testfleet"
	"github.com/stowage-run/stowage/internal/webimage"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/docker"
	"github.com/stowage-run/stowage/providers/remote/ssh"
)

// lab is one real host with the example image, asked over SSH.
type lab struct {
	testfleet.Shared
	once sync.Once
	err  error
}

var shared = &lab{Shared: testfleet.Shared{Hosts: 1}}

func TestMain(m *testing.M) { shared.Main(m) }

const webRef = "stowage-web:health"

// connect returns the host, its connection and its engine.
func (l *lab) connect(t *testing.T) (*testfleet.Host, *ssh.Conn, *docker.Engine) {
	t.Helper()
	f := l.Fleet(t)
	h := f.Hosts[0]
	l.once.Do(func() {
		archive := filepath.Join(t.TempDir(), "web.tar")
		if l.err = (webimage.Image{Tag: webRef, Version: "1"}).WriteFile(t.Context(), archive); l.err == nil {
			l.err = h.LoadImage(t.Context(), archive)
		}
	})
	if l.err != nil {
		t.Fatal(l.err)
	}
	conn, err := ssh.Dial(t.Context(), ssh.Config{
		Host: h.Name, Address: h.Addr, User: "root", KeyFile: f.KeyFile, KnownHosts: f.KnownHosts,
		Environment: ssh.Environment{Home: t.TempDir(), User: "root"},
	})
	if err != nil {
		t.Fatal(err)
	}
	e, err := docker.New(t.Context(), docker.Config{Conn: conn})
	if err != nil {
		conn.Close()
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return h, conn, e
}

// web starts the example with an environment such as "FLAP=1s", and removes it when the test ends.
func web(t *testing.T, h *testfleet.Host, e providers.Engine, slot fleet.Slot, env string) string {
	t.Helper()
	r := providers.CreateRequest{
		Instance: fleet.Instance{
			Fleet: "20000000-0000-4000-8000-000000000001", FleetName: "sick", Replica: fleet.ReplicaID{Workload: "web", Slot: slot},
			Generation: 1, Revision: "v1:aa", Release: 1,
		},
		Spec: fleet.Spec{Image: fleet.Image{Ref: webRef}, Env: map[string]fleet.Text{}},
	}
	for _, pair := range strings.Fields(env) {
		key, value, _ := strings.Cut(pair, "=")
		r.Spec.Env[key] = fleet.Text{Plain: value}
	}
	id, err := e.Create(t.Context(), r)
	if err == nil {
		err = e.Start(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
		defer cancel()
		// Not through the connection, which may be lost by then.
		if err := h.API().ContainerRemove(ctx, id, container.RemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	})
	return id
}

// watch probes as a gate does until done, or for 30 s.
func watch(t *testing.T, e providers.Engine, target health.Target, done func(s health.Status, proven time.Duration, a health.Answer) bool) {
	t.Helper()
	tracker := health.New(target.Check, time.Now())
	limit := time.Now().Add(30 * time.Second)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		<-timer.C
		a := health.Probe(t.Context(), e, target)
		now := time.Now()
		tracker.Observe(now, a)
		s, _ := tracker.Status(now)
		if done(s, tracker.HealthyFor(now), a) {
			return
		}
		if now.After(limit) {
			t.Fatalf("after 30 s it is %s: %+v", s, a)
		}
		timer.Reset(tracker.Next(now).Sub(now))
	}
}

func TestReleases(t *testing.T) {
	h, _, e := shared.connect(t)
	get := fleet.Healthcheck{Kind: fleet.CheckHTTP, Path: "/healthz", Interval: 300 * time.Millisecond, Timeout: 2 * time.Second, Retries: 3, StartPeriod: time.Second}
	// Until it is healthy for two seconds, or is not: the status, and what was said last.
	for i, test := range []struct {
		name, env string
		edit      func(*fleet.Healthcheck)
		want      health.Status
		said      string
	}{
		{"good", "", func(*fleet.Healthcheck) {}, health.StatusHealthy, "GET /healthz: 200 OK"},
		{"slow to start", "HEALTH_AFTER=2s", func(c *fleet.Healthcheck) { c.StartPeriod = 20 * time.Second }, health.StatusHealthy, "GET /healthz: 200 OK"},
		{"never healthy", "HEALTH_FAIL=1", func(*fleet.Healthcheck) {}, health.StatusUnhealthy, `GET /healthz: 503 Service Unavailable: "told to fail"`},
		{"too slow", "HEALTH_DELAY=10s", func(c *fleet.Healthcheck) { c.Timeout = 500 * time.Millisecond }, health.StatusUnhealthy, "GET /healthz: no answer within 500ms"},
		{"ends at once", "EXIT=3", func(*fleet.Healthcheck) {}, health.StatusUnhealthy, "the container does not run: it is exited, status 3"},
		{"dies soon", "DIE_AFTER=1s", func(*fleet.Healthcheck) {}, health.StatusUnhealthy, "the container does not run: it is exited, status 1"},
		{"nothing there", "PORT=9090", func(*fleet.Healthcheck) {}, health.StatusUnhealthy, "GET /healthz: connection refused on port 8080"},
		{"accepts", "", func(c *fleet.Healthcheck) { c.Kind = fleet.CheckTCP }, health.StatusHealthy, "port 8080 accepts connections"},
		{"no gRPC", "", func(c *fleet.Healthcheck) { c.Kind = fleet.CheckGRPC }, health.StatusUnhealthy, ""},
		{"its own command", "", func(c *fleet.Healthcheck) { c.Kind, c.Command = fleet.CheckCommand, []string{"/web", "check"} }, health.StatusHealthy, "command /web: status 0"},
		{"a command that fails", "HEALTH_FAIL=1", func(c *fleet.Healthcheck) { c.Kind, c.Command = fleet.CheckCommand, []string{"/web", "check"} },
			health.StatusUnhealthy, `command /web: status 1: "web: GET /healthz: 503 Service Unavailable"`},
		{"no check", "", func(c *fleet.Healthcheck) { c.Kind = fleet.CheckImage }, health.StatusHealthy, "it runs"},
	} {
		t.Run(test.name, func(t *testing.T) {
			check := get
			test.edit(&check)
			id := web(t, h, e, fleet.Slot(i), test.env)
			watch(t, e, health.Target{Container: id, Check: check, Port: 8080}, func(s health.Status, proven time.Duration, a health.Answer) bool {
				if s != health.StatusUnhealthy && proven < 2*time.Second {
					return false
				}
				if s != test.want || test.said != "" && a.Said != test.said {
					t.Errorf("got %s: %s, want %s: %s", s, a.Said, test.want, test.said)
				}
				return true
			})
		})
	}
}

// A release that is well one second and unwell the next is never proven for three, whatever its retries.
func TestFlapping(t *testing.T) {
	h, _, e := shared.connect(t)
	check := fleet.Healthcheck{Kind: fleet.CheckHTTP, Path: "/healthz", Interval: 200 * time.Millisecond, Timeout: 2 * time.Second, Retries: 100}
	begin, most, failed := time.Now(), time.Duration(0), 0
	watch(t, e, health.Target{Container: web(t, h, e, 0, "FLAP=1s"), Check: check, Port: 8080}, func(_ health.Status, proven time.Duration, a health.Answer) bool {
		most = max(most, proven)
		if a.Verdict == health.Unhealthy {
			failed++
		}
		return time.Since(begin) > 6*time.Second
	})
	if most == 0 || most > 2*time.Second || failed == 0 {
		t.Errorf("proven for up to %v with %d failures, want between 0 and 2 s, and some", most, failed)
	}
}

// A container whose host is cut off, or whose engine hangs, is unknown and not unhealthy.
func TestCutOff(t *testing.T) {
	h, _, e := shared.connect(t)
	check := fleet.Healthcheck{Kind: fleet.CheckHTTP, Path: "/healthz", Interval: 200 * time.Millisecond, Timeout: time.Second, Retries: 1}
	target := health.Target{Container: web(t, h, e, 0, ""), Check: check, Port: 8080}
	watch(t, e, target, func(s health.Status, _ time.Duration, _ health.Answer) bool { return s == health.StatusHealthy })
	for _, trouble := range []struct {
		what      string
		cut, mend func(context.Context) error
	}{
		{"the engine hangs", h.FreezeEngine, h.ThawEngine},
		{"the link is cut", h.CutLink, h.RestoreLink},
	} {
		if err := trouble.cut(t.Context()); err != nil {
			t.Fatal(err)
		}
		a := health.Probe(t.Context(), e, target)
		if err := trouble.mend(t.Context()); err != nil {
			t.Fatal(err)
		}
		if a.Verdict != health.Unknown {
			t.Errorf("%s: got %+v, want unknown", trouble.what, a)
		}
	}
}

// through is an engine whose containers are one address that its host can reach.
type through struct {
	*docker.Engine
	conn *ssh.Conn
	addr string
}

func (th *through) Dial(ctx context.Context, _ string, _ uint16) (net.Conn, error) {
	return th.conn.DialContext(ctx, "tcp", th.addr)
}

// Streams over SSH have no deadlines, which HTTP/2 must do without.
func TestGRPCOverSSH(t *testing.T) {
	h, conn, e := shared.connect(t)
	listener, err := net.Listen("tcp", net.JoinHostPort(shared.Fleet(t).Gateway(), "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	states := grpchealth.NewServer()
	grpc_health_v1.RegisterHealthServer(server, states)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer func() {
		server.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	target := health.Target{Container: web(t, h, e, 0, ""), Check: fleet.Healthcheck{Kind: fleet.CheckGRPC, Timeout: 10 * time.Second}, Port: 1}
	over := &through{e, conn, listener.Addr().String()}
	if a := health.Probe(t.Context(), over, target); a.Verdict != health.Healthy {
		t.Errorf("got %+v", a)
	}
	states.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	if a := health.Probe(t.Context(), over, target); a.Verdict != health.Unhealthy || !strings.HasSuffix(a.Said, "NOT_SERVING") {
		t.Errorf("got %+v", a)
	}
}
