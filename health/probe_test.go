package health_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	grpchealth "google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/health"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/fake"
)

const port = 8080

// replica is a container in memory.
type replica struct {
	world  *fake.World
	host   *fake.Host
	engine providers.Engine
	id     string
}

const name = "shop-web-0-g1"

// run starts a container of an image on h1.
func run(t *testing.T, i fake.Image, edit ...func(*fleet.Spec)) *replica {
	t.Helper()
	w := fake.NewWorld(time.Now, "h1")
	h := w.Host("h1")
	h.AddImage("web:1", i)
	e, err := w.Engine(t.Context(), fleet.Host{Name: "h1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	r := providers.CreateRequest{
		Instance: fleet.Instance{
			Fleet: "10000000-0000-4000-8000-000000000001", FleetName: "shop", Replica: fleet.ReplicaID{Workload: "web"},
			Generation: 1, Revision: "v1:aa", Release: 1,
		},
		Spec: fleet.Spec{Image: fleet.Image{ID: i.ID}},
	}
	for _, f := range edit {
		f(&r.Spec)
	}
	id, err := e.Create(t.Context(), r)
	if err == nil {
		err = e.Start(t.Context(), id)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &replica{world: w, host: h, engine: e, id: id}
}

func (r *replica) probe(ctx context.Context, c fleet.Healthcheck) health.Answer {
	return health.Probe(ctx, r.engine, health.Target{Container: r.id, Check: c, Port: port})
}

// word is an answer in one line.
func word(a health.Answer) string { return string(a.Verdict) + ": " + a.Said }

func serve(h http.HandlerFunc) fake.Image {
	return fake.NewImage("web").Serving(fake.HTTP(port, func(fake.Visit) http.Handler { return h }))
}

func stream(f func(net.Conn)) fake.Image {
	return fake.NewImage("web").Serving(func(fake.Visit) func(net.Conn) { return f })
}

func TestHTTP(t *testing.T) {
	get := fleet.Healthcheck{Kind: fleet.CheckHTTP, Path: "/healthz?deep=1", Timeout: 5 * time.Second}
	for _, test := range []struct {
		name  string
		image fake.Image
		want  string
	}{
		{"200", serve(func(http.ResponseWriter, *http.Request) {}), `healthy: GET /healthz?deep=1: 200 OK`},
		{"399", serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(399) }), `healthy: GET /healthz?deep=1: 399 status code 399`},
		{"400", serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(400) }), `unhealthy: GET /healthz?deep=1: 400 Bad Request`},
		{"503 and why", serve(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "\n db \"down\"\x1b[2J \nmore", 503) }),
			`unhealthy: GET /healthz?deep=1: 503 Service Unavailable: "db \"down\"\x1b[2J"`},
		{"a redirect is not followed", serve(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "http://example.invalid/", 302) }),
			`healthy: GET /healthz?deep=1: 302 Found`},
		{"what is sent", serve(func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, fmt.Sprintln(r.Method, r.Host, r.URL, r.UserAgent(), r.Close), 500)
		}), `unhealthy: GET /healthz?deep=1: 500 Internal Server Error: "GET localhost /healthz?deep=1 stowage true"`},
		{"a flood is cut", serve(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(500)
			for range 1 << 20 {
				if _, err := w.Write([]byte("abcdefghi\xc3")); err != nil {
					return
				}
			}
			t.Error("ten megabytes were read")
		}), `unhealthy: GET /healthz?deep=1: 500 Internal Server Error: "` + strings.Repeat(`abcdefghi\xc3`, 20) + `..."`},
		{"no HTTP", stream(func(c net.Conn) { c.Read(make([]byte, 4096)); io.WriteString(c, "SSH-2.0-OpenSSH_9.9\r\n") }),
			`unhealthy: GET /healthz?deep=1: net/http: HTTP/1.x transport connection broken: malformed HTTP response "SSH-2.0-OpenSSH_9.9"`},
		{"hangs up", stream(func(c net.Conn) { c.Read(make([]byte, 4096)) }), `unhealthy: GET /healthz?deep=1: EOF`},
		{"refused", fake.NewImage("web"), `unhealthy: GET /healthz?deep=1: connection refused on port 8080`},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			if d := cmp.Diff(test.want, word(run(t, test.image).probe(t.Context(), get))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestTCP(t *testing.T) {
	check := fleet.Healthcheck{Kind: fleet.CheckTCP, Timeout: 5 * time.Second}
	for _, test := range []struct {
		name  string
		image fake.Image
		edit  func(*fleet.Spec)
		want  string
	}{
		{"accepts", stream(func(net.Conn) {}), func(*fleet.Spec) {}, "healthy: port 8080 accepts connections"},
		{"refused", fake.NewImage("web"), func(*fleet.Spec) {}, "unhealthy: port 8080: connection refused on port 8080"},
		{"no network", stream(func(net.Conn) {}), func(s *fleet.Spec) { s.NetworkMode = "none" }, "unhealthy: port 8080: the container has no network"},
	} {
		if d := cmp.Diff(test.want, word(run(t, test.image, test.edit).probe(t.Context(), check))); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, d)
		}
	}
}

func TestGRPC(t *testing.T) {
	serving := func(register bool) fake.Image {
		return stream(func(conn net.Conn) {
			s := grpc.NewServer()
			if register {
				h := grpchealth.NewServer()
				h.SetServingStatus("sick", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
				grpc_health_v1.RegisterHealthServer(s, h)
			}
			_ = s.Serve(fake.Single(conn)) // ends with the stream, with an error
			s.Stop()
		})
	}
	for _, test := range []struct {
		name    string
		image   fake.Image
		service string
		want    string
	}{
		{"the server", serving(true), "", `healthy: gRPC health check of "": SERVING`},
		{"a service", serving(true), "sick", `unhealthy: gRPC health check of "sick": NOT_SERVING`},
		{"another", serving(true), "none", `unhealthy: gRPC health check of "none": NotFound: unknown service`},
		{"without it", serving(false), "", `unhealthy: gRPC health check of "": the server does not have grpc.health.v1.Health`},
		{"refused", fake.NewImage("web"), "", `unhealthy: gRPC health check of "": connection refused on port 8080`},
	} {
		t.Run(test.name, func(t *testing.T) {
			defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
			check := fleet.Healthcheck{Kind: fleet.CheckGRPC, Service: test.service, Timeout: 5 * time.Second}
			if d := cmp.Diff(test.want, word(run(t, test.image).probe(t.Context(), check))); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestCommand(t *testing.T) {
	image := fake.NewImage("web")
	image.Program = func(p fake.Process) fake.Outcome {
		if !p.Exec {
			return fake.Outcome{}
		}
		fmt.Fprintln(p.Stdout, strings.Repeat("a line\n", 20_000)+"connecting")
		fmt.Fprint(p.Stderr, "queue is 9000 long \n\n")
		return fake.Outcome{Exited: true, Status: len(p.Args) - 1}
	}
	r := run(t, image)
	for command, want := range map[string]string{
		"check":     `healthy: command check: status 0: "queue is 9000 long"`,
		"check -ab": `unhealthy: command check: status 1: "queue is 9000 long"`,
	} {
		c := fleet.Healthcheck{Kind: fleet.CheckCommand, Command: strings.Fields(command)}
		if d := cmp.Diff(want, word(r.probe(t.Context(), c))); d != "" {
			t.Errorf("%s (-want +got):\n%s", command, d)
		}
	}
}

func TestImageCheck(t *testing.T) {
	r := run(t, fake.NewImage("web"))
	for said, want := range map[string]string{
		"":          "healthy: it runs",
		"starting":  "starting: the image's health check: starting",
		"healthy":   "healthy: the image's health check: healthy",
		"unhealthy": "unhealthy: the image's health check: unhealthy",
	} {
		r.host.SetHealth(name, said)
		if d := cmp.Diff(want, word(r.probe(t.Context(), fleet.Healthcheck{}))); d != "" {
			t.Errorf("(-want +got):\n%s", d)
		}
	}
}

// Whatever the check is, what does not run is unhealthy, and what the engine says of it is in the answer.
func TestNotRunning(t *testing.T) {
	for _, kind := range []fleet.CheckKind{fleet.CheckImage, fleet.CheckHTTP, fleet.CheckTCP, fleet.CheckGRPC, fleet.CheckCommand} {
		check := fleet.Healthcheck{Kind: kind, Command: []string{"true"}}
		r := run(t, serve(func(http.ResponseWriter, *http.Request) {}))
		if a := r.probe(t.Context(), check); a.Started.IsZero() || a.Ended || a.Time.IsZero() {
			t.Errorf("%q: running: got %+v", kind, a)
		}
		r.host.Pause(name)
		if a := r.probe(t.Context(), check); word(a) != "unhealthy: the container does not run: it is paused" || a.Ended {
			t.Errorf("%q: paused: got %+v", kind, a)
		}
		r.host.Crash(name, 3)
		if a := r.probe(t.Context(), check); word(a) != "unhealthy: the container does not run: it is exited, status 3" || !a.Ended {
			t.Errorf("%q: ended: got %+v", kind, a)
		}
		r.host.Remove(name)
		if a := r.probe(t.Context(), check); word(a) != "unhealthy: the container is gone" || !a.Ended {
			t.Errorf("%q: gone: got %+v", kind, a)
		}
	}
	again := run(t, fake.NewImage("web").Exiting(7), func(s *fleet.Spec) { s.Restart = fleet.RestartAlways })
	a := again.probe(t.Context(), fleet.Healthcheck{})
	if word(a) != "unhealthy: the container does not run: it is restarting, status 7, restarted 1 times" || a.Ended || a.Restarts != 1 {
		t.Errorf("restarting: got %+v", a)
	}
}

// What stands between us and the container says nothing of the container, at whatever moment and in whichever check.
func TestUnknown(t *testing.T) {
	kinds := []fleet.CheckKind{fleet.CheckImage, fleet.CheckHTTP, fleet.CheckTCP, fleet.CheckGRPC, fleet.CheckCommand}
	for _, kind := range kinds {
		check := fleet.Healthcheck{Kind: kind, Command: []string{"true"}, Timeout: 5 * time.Second}
		for what, arrange := range map[string]func(r *replica){
			"the host is down":        func(r *replica) { r.host.SetDown(true) },
			"the connection was lost": func(r *replica) { r.engine.Close() },
			"dial and exec are cut": func(r *replica) {
				r.world.Inject(fake.Fault{Op: fake.OpDial, Kind: fake.CutBefore})
				r.world.Inject(fake.Fault{Op: fake.OpExec, Kind: fake.CutAfter})
				if kind == fleet.CheckImage {
					r.world.Inject(fake.Fault{Op: fake.OpInspect, Kind: fake.CutBefore})
				}
			},
			"the engine is silent once it was asked": func(r *replica) {
				r.world.Inject(fake.Fault{Op: fake.OpInspect, Err: providers.ErrSilent})
			},
		} {
			r := run(t, serve(func(http.ResponseWriter, *http.Request) {}))
			arrange(r)
			if a := r.probe(t.Context(), check); a.Verdict != health.Unknown || a.Said == "" {
				t.Errorf("%q, %s: got %+v, want unknown", kind, what, a)
			}
		}
		r := run(t, serve(func(http.ResponseWriter, *http.Request) {}))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if a := r.probe(ctx, check); a.Verdict != health.Unknown {
			t.Errorf("%q, interrupted: got %+v, want unknown", kind, a)
		}
	}
}

// A connection to the host that breaks while the container is asked, and is there again when the engine is.
func TestLostWhileAsked(t *testing.T) {
	for _, kind := range []fleet.CheckKind{fleet.CheckHTTP, fleet.CheckGRPC} {
		asked := make(chan struct{})
		r := run(t, stream(func(conn net.Conn) {
			conn.Read(make([]byte, 1))
			close(asked)
			io.Copy(io.Discard, conn)
		}))
		go func() {
			<-asked
			r.host.SetDown(true)
			r.host.SetDown(false)
		}()
		a := r.probe(t.Context(), fleet.Healthcheck{Kind: kind, Timeout: 20 * time.Second})
		if a.Verdict != health.Unknown {
			t.Errorf("%q: got %+v, want unknown", kind, a)
		}
	}
}

// Silence is the container's where the engine answers, and the host's where it does not; either is over in time.
func TestTimeout(t *testing.T) {
	silent := stream(func(conn net.Conn) { io.Copy(io.Discard, conn) })
	for _, kind := range []fleet.CheckKind{fleet.CheckHTTP, fleet.CheckGRPC} {
		for what, test := range map[string]struct {
			inject  []fake.Fault
			verdict health.Verdict
			took    time.Duration
		}{
			"no answer":              {nil, health.Unhealthy, 3 * time.Second},
			"no connection":          {[]fake.Fault{{Op: fake.OpDial, Kind: fake.Hang}}, health.Unhealthy, 3 * time.Second},
			"the whole host is mute": {[]fake.Fault{{Kind: fake.Hang}}, health.Unknown, 13 * time.Second},
		} {
			t.Run(string(kind)+" "+what, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := run(t, silent)
					for _, f := range test.inject {
						r.world.Inject(f)
					}
					begin := time.Now()
					a := r.probe(t.Context(), fleet.Healthcheck{Kind: kind, Path: "/x", Timeout: 3 * time.Second})
					if a.Verdict != test.verdict || time.Since(begin) != test.took {
						t.Errorf("got %+v after %v, want %s after %v", a, time.Since(begin), test.verdict, test.took)
					}
					if test.verdict == health.Unhealthy && !strings.HasSuffix(a.Said, ": no answer within 3s") {
						t.Errorf("said %q", a.Said)
					}
					r.engine.Close()
				})
			})
		}
	}
}
