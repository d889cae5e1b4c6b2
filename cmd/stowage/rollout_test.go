package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stowage-run/stowage/internal/observer"
	"github.com/stowage-run/stowage/internal/testfleet"
)

// TestRollouts has releases go out to three hosts over SSH, good ones and bad ones, beside a witness that asks the hosts' engines
// and the replicas themselves and knows nothing of Stowage. What goes its way at the same time has hosts of its own: of two fleets
// that are planned at once each may choose the same automatic port of a host.
func TestRollouts(t *testing.T) {
	f, err := shared.get()
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup // most of the time is waiting: not t.Parallel, which has no more under way than there are processors
	for name, test := range map[string]func(t *testing.T, own func() []*testfleet.Host){
		"good": func(t *testing.T, _ func() []*testfleet.Host) {
			t.Run("rolling", func(t *testing.T) { goodRollout(t, f.Hosts, f.Local) })
			t.Run("others", func(t *testing.T) { strategies(t, f.Hosts, f.Local) })
		},
		"bad": func(t *testing.T, own func() []*testfleet.Host) { badReleases(t, own(), f.Local) },
		"late": func(t *testing.T, own func() []*testfleet.Host) {
			hosts := own()
			t.Run("dies late", func(t *testing.T) { diesLate(t, hosts, f.Local) })
			t.Run("no image", func(t *testing.T) { imagesThatVanish(t, hosts, f.Local) })
		},
		"hosts": func(t *testing.T, own func() []*testfleet.Host) {
			hosts := own()
			t.Run("no disk", func(t *testing.T) { fullDisk(t, hosts, f.Local) })
			t.Run("no host", func(t *testing.T) { lostHost(t, hosts, f.Local) })
		},
	} {
		all.Go(func() {
			t.Run(name, func(t *testing.T) { test(t, func() []*testfleet.Host { return testfleet.Start(t, 3).Hosts }) })
		})
	}
	all.Wait()
}

// shop is a fleet with one workload, web, of which one release after another goes out.
type shop struct {
	t     *testing.T
	name  string
	dir   string
	hosts []*testfleet.Host
	local *testfleet.Host // has the images
	env   []string        // of its commands
	seen  *observer.Observer
}

// goods are what web is to be.
type goods struct {
	image    string // empty: stowage-web:1
	replicas int
	env      string // of the containers: `HEALTH_FAIL = "1"`, one a line
	port     string // of the host; empty: "auto"
	check    string // of the health check, beside its path and port
	update   string // the block's body
	more     string // further arguments
}

// openShop gives a fleet a directory, hosts, and a witness, who watches until the end of the test.
func openShop(t *testing.T, name string, hosts []*testfleet.Host, local *testfleet.Host) *shop {
	s := &shop{t: t, name: name, dir: t.TempDir(), hosts: hosts, local: local}
	s.env = append(os.Environ(), "HOME="+s.dir, "DOCKER_HOST=unix://"+local.Socket)
	for _, h := range hosts {
		t.Cleanup(func() {
			if err := clean(h, name); err != nil {
				t.Error(err)
			}
		})
	}
	s.seen = observer.Watch(t.Context(), observer.Config{
		Hosts: s.watched(), Ours: observer.ByName(name), Probe: observer.Published(8080, "/healthz"), Timeout: time.Second,
	})
	t.Cleanup(func() {
		if seen := s.seen.Close(); t.Failed() {
			t.Logf("%s, as the witness saw it:\n%s", name, seen.Changes())
		}
	})
	return s
}

func (s *shop) watched() (hosts []observer.Host) {
	for _, h := range s.hosts {
		hosts = append(hosts, observer.Host{Name: h.Name, Socket: h.Socket, Addr: h.Addr})
	}
	return hosts
}

// image is the id of an image that this machine has.
func (s *shop) image(tag string) string {
	s.t.Helper()
	id, err := s.local.Docker(s.t.Context(), "image", "inspect", "-f", "{{.Id}}", tag)
	s.check(err)
	return id
}

func (s *shop) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// want writes a release's configuration.
func (s *shop) want(r goods) {
	s.t.Helper()
	var hcl strings.Builder
	fmt.Fprintf(&hcl, "stowage {\n  fleet           = %q\n  deletion_budget = \"100%%\"\n}\n\n", s.name)
	for _, h := range s.hosts {
		hcl.WriteString(h.HCL() + "\n")
	}
	if r.image == "" {
		r.image = "stowage-web:1"
	}
	if r.port == "" {
		r.port = `"auto"`
	}
	fmt.Fprintf(&hcl, `workload "web" {
  image    = %q
  replicas = %d
  env = {
    %s
  }
  port "http" {
    container = 8080
    host      = %s
  }
  healthcheck {
    http = "/healthz"
    port = "http"
    %s
  }
  update {
%s
  }
  %s
}
`, r.image, r.replicas, r.env, r.port, r.check, r.update, r.more)
	s.check(os.WriteFile(filepath.Join(s.dir, "stowage.hcl"), []byte(hcl.String()), 0o644))
}

// said is how a command ended and what it said.
type said struct {
	line     string
	code     int
	out, err string
	took     time.Duration
}

func (x said) String() string {
	return fmt.Sprintf("stowage %s: exit status %d after %v\n%s%s", x.line, x.code, x.took.Round(time.Millisecond), x.out, x.err)
}

// command is stowage with some words, in the fleet's directory.
func (s *shop) command(words ...string) *exec.Cmd {
	cmd := exec.CommandContext(s.t.Context(), "stowage", words...)
	cmd.Dir, cmd.Env = s.dir, s.env
	return cmd
}

// stowage runs a command to its end.
func (s *shop) stowage(words ...string) said {
	s.t.Helper()
	var out, err bytes.Buffer
	cmd, start := s.command(words...), time.Now()
	cmd.Stdout, cmd.Stderr = &out, &err
	failed := cmd.Run()
	var exit *exec.ExitError
	if failed != nil && !errors.As(failed, &exit) {
		s.t.Fatal(failed)
	}
	return said{strings.Join(words, " "), cmd.ProcessState.ExitCode(), out.String(), err.String(), time.Since(start)}
}

// exits runs a command that has to end with a status and to say some things.
func (s *shop) exits(code int, line string, says ...string) said {
	s.t.Helper()
	got := s.stowage(strings.Fields(line)...)
	s.says(got, code, says...)
	return got
}

func (s *shop) says(got said, code int, says ...string) {
	s.t.Helper()
	if got.code != code {
		s.t.Fatalf("want exit status %d of\n%v", code, got)
	}
	for _, w := range says {
		if !strings.Contains(strings.Join(strings.Fields(got.out+got.err), " "), w) {
			s.t.Errorf("want %q of\n%v", w, got)
		}
	}
}

// during is the time in which something was done.
func during(do func()) observer.Span {
	from := time.Now()
	do()
	return observer.Span{From: from, To: time.Now()}
}

// atRest waits until the witness has seen each host after this moment, and returns the moment and all that was seen.
func (s *shop) atRest() (time.Time, observer.Timeline) {
	s.t.Helper()
	moment := time.Now()
	s.check(s.seen.Await(s.t.Context(), func(l observer.Timeline) bool { return l.Observed().To.After(moment) }))
	return time.Now(), s.seen.Timeline()
}

// rests checks that so many replicas are there and nothing else, all of one revision and image, and returns the revision.
func (s *shop) rests(replicas int, image string) string {
	s.t.Helper()
	moment, seen := s.atRest()
	for _, v := range seen.Rest(moment, map[string]int{"web": replicas}) {
		s.t.Errorf("at rest: %v", v)
	}
	there, _ := seen.At(moment)
	for _, c := range there {
		if c.ImageID != image {
			s.t.Errorf("at rest: %v is of image %s, want %s", c, c.ImageID, image)
		}
	}
	revisions := slices.Collect(maps.Keys(seen.Revisions("web", moment)))
	if len(revisions) != 1 {
		s.t.Fatalf("got revisions %v at rest, want one", revisions)
	}
	return revisions[0]
}

// within checks how many replicas were healthy and live all through a span.
func (s *shop) within(span observer.Span, healthy, live int) {
	s.t.Helper()
	_, seen := s.atRest()
	for _, g := range seen.Gaps(span) {
		s.t.Errorf("nothing is known: %v", g)
	}
	for _, v := range slices.Concat(seen.Floor("web", healthy, span), seen.Ceiling("web", live, span)) {
		s.t.Error(v)
	}
	least, _ := observer.Least(seen.Healthy("web", span))
	most, high := observer.Most(seen.Live("web", span))
	s.t.Logf("in %v: at least %d healthy, at most %d live, surely no more than %d", span.To.Sub(span.From).Round(time.Millisecond), least, most, high)
}
