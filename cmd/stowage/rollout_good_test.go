package main

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/internal/observer"
	"github.com/stowage-run/stowage/internal/testfleet"
)

// quick is an update of 12 replicas, 4 at a time, with none missing.
const quick = `
    max_parallel     = 4
    max_surge        = 4
    max_unavailable  = 0
    order            = "start-first"
    min_healthy_time = "300ms"
    healthy_deadline = "30s"
`

// goodRollout replaces 12 replicas under load: none is ever missing, and nothing of others is touched.
func goodRollout(t *testing.T, hosts []*testfleet.Host, local *testfleet.Host) {
	const replicas = 12
	s := openShop(t, "rollgood", hosts, local)
	r := goods{replicas: replicas, env: `MESSAGE = "one"`, update: quick}
	s.want(r)
	s.exits(0, "apply -auto-approve")
	first := s.rests(replicas, s.image("stowage-web:1"))
	foreign := s.strangers()

	r.env, r.image = `MESSAGE = "two"`, "stowage-web:2"
	s.want(r)
	load := observer.Load(t.Context(), s.up, 50*time.Millisecond)
	span := during(func() { s.exits(0, "apply -auto-approve", "12 replaced") })
	requests := load.Close()
	s.within(span, replicas, replicas+4)
	if second := s.rests(replicas, s.image("stowage-web:2")); second == first {
		t.Errorf("got revision %s again", second)
	}
	s.excused(requests)
	if diff := cmp.Diff(foreign, s.strangers()); diff != "" {
		t.Errorf("what is not the fleet's: -before +after\n%s", diff)
	}
	s.exits(0, "plan -detailed-exitcode", "No changes.")
}

// up are the URLs of the replicas that answered last.
func (s *shop) up() (urls []string) {
	there, _ := s.seen.Timeline().At(time.Now())
	for _, c := range there {
		if c.Health == observer.Healthy {
			urls = append(urls, "http://"+c.Ports[0].Addr+"/")
		}
	}
	return urls
}

// excused checks that requests were answered, all but those to a container that was on its way out.
func (s *shop) excused(r observer.Requests) {
	s.t.Helper()
	answered := 0
	for _, n := range r.Answered {
		answered += n
	}
	seen := s.seen.Timeline()
	for _, f := range r.Failed {
		before, _ := seen.At(f.From)
		after, _ := seen.At(f.To.Add(5 * time.Second)) // as long as it may take to end
		left := slices.ContainsFunc(before, func(c observer.Container) bool {
			still := func(d observer.Container) bool { return d.ID == c.ID && d.Live() }
			return len(c.Ports) > 0 && strings.Contains(f.URL, c.Ports[0].Addr+"/") && !slices.ContainsFunc(after, still)
		})
		if !left {
			s.t.Errorf("%v\n%s", f, seen.Changes())
		}
	}
	if len(r.Answered) < 24 {
		s.t.Errorf("got answers of %d containers, want of 12 old and 12 new ones", len(r.Answered))
	}
	s.t.Logf("%d requests answered by %d containers, %d to ones that were being stopped", answered, len(r.Answered), len(r.Failed))
}

// strangers are a container, a volume and a network on each host that are not the fleet's: made once, and what became of them.
func (s *shop) strangers() (all []string) {
	s.t.Helper()
	name := "foreign" + s.name
	for _, h := range s.hosts {
		ids, err := h.Docker(s.t.Context(), "ps", "-aq", "--filter", "name=^"+name+"$")
		s.check(err)
		if ids == "" {
			for _, line := range []string{"volume create " + name, "network create " + name, "run -d --name " + name + " --network " + name + " -v " + name + ":/data stowage-web:1"} {
				_, err := h.Docker(s.t.Context(), strings.Fields(line)...)
				s.check(err)
			}
			s.t.Cleanup(func() {
				for _, line := range []string{"rm -f " + name, "network rm " + name, "volume rm " + name} {
					if _, err := h.Docker(context.WithoutCancel(s.t.Context()), strings.Fields(line)...); err != nil {
						s.t.Error(err)
					}
				}
			})
		}
		for _, line := range []string{
			"inspect -f {{.Id}}{{.State.Running}}{{.State.StartedAt}} " + name, "network inspect -f {{.Id}} " + name, "volume inspect -f {{.CreatedAt}} " + name,
		} {
			out, err := h.Docker(s.t.Context(), strings.Fields(line)...)
			s.check(err)
			all = append(all, h.Name+" "+out)
		}
	}
	return all
}

// strategies are the other ways in which a release may go out, here of 6 replicas.
func strategies(t *testing.T, hosts []*testfleet.Host, local *testfleet.Host) {
	const replicas = 6
	s := openShop(t, "rollways", hosts, local)
	image := s.image("stowage-web:1")
	const times = "    min_healthy_time = \"200ms\"\n    healthy_deadline = \"30s\"\n"
	r := goods{replicas: replicas, env: `MESSAGE = "0"`, update: times}
	s.want(r)
	s.exits(0, "apply -auto-approve")
	old := s.rests(replicas, image)

	// Two canaries, and the others when somebody says so.
	r.env, r.update = `MESSAGE = "canary"`, times+"    max_parallel = 2\n    max_surge = 2\n    canary = 2\n"
	s.want(r)
	span := during(func() {
		s.exits(0, "apply -auto-approve", "the others wait for `stowage promote web`", "2 replaced")
		moment, seen := s.atRest()
		if got := seen.Revisions("web", moment); len(got) != 2 || got[old] != 4 {
			t.Errorf("got revisions %v beside the canaries, want 4 of %s", got, old)
		}
		s.exits(0, "status", "waits for a promotion", "2 of 6 replicas are new", "stowage promote web")
		s.exits(0, "apply -auto-approve", "Nothing to change")
		s.exits(0, "promote -auto-approve web", "4 replaced")
	})
	s.within(span, replicas, replicas+2)
	s.rests(replicas, image)

	// All of the new ones beside all of the old ones.
	r.env, r.update = `MESSAGE = "green"`, times+"    strategy = \"blue-green\"\n"
	s.want(r)
	span = during(func() {
		s.exits(0, "apply -auto-approve", "all of the next generation running before the first of the old one stops")
	})
	s.within(span, replicas, 2*replicas)
	s.beside(span, 2*replicas)
	s.rests(replicas, image)

	// None of the new ones beside any of the old ones: the plan says that this is down meanwhile.
	r.env, r.update = `MESSAGE = "anew"`, times+"    strategy = \"recreate\"\n"
	s.want(r)
	span = during(func() {
		s.exits(0, "apply -auto-approve", "all of the old generation stopped before the first of the next one starts, and so down meanwhile")
	})
	s.within(span, 0, replicas)
	s.apart(span)
	s.rests(replicas, image)

	// Half of them at once, stopped first.
	r.env, r.update = `MESSAGE = "half"`, times+"    order = \"stop-first\"\n    max_parallel = 3\n    max_unavailable = 3\n"
	s.want(r)
	span = during(func() {
		s.exits(0, "apply -auto-approve", "6 replaced 3 at a time", "stopped before its next generation starts")
	})
	s.within(span, replicas-3, replicas)
	s.rests(replicas, image)

	// A port that only one can have: what was to start first is stopped first, and the plan says why.
	r.replicas, r.port, r.more = 3, "31080", "placement {\n    max_per_host = 1\n  }"
	s.want(r)
	s.exits(0, "apply -auto-approve")
	r.env, r.update = `MESSAGE = "fixed"`, times+"    order = \"start-first\"\n    max_parallel = 3\n    max_unavailable = 1\n"
	s.want(r)
	span = during(func() {
		s.exits(0, "apply -auto-approve", "stopped before its next generation starts, and so down meanwhile (a host port that only one can have)")
	})
	s.within(span, 2, 3)
	s.rests(3, image)
}

// beside checks that so many were live at once during a span.
func (s *shop) beside(span observer.Span, want int) {
	s.t.Helper()
	if most, _ := observer.Most(s.seen.Timeline().Live("web", span)); most != want {
		s.t.Errorf("got at most %d live at once, want %d", most, want)
	}
}

// apart checks that no two revisions were live at once on any host during a span.
func (s *shop) apart(span observer.Span) {
	s.t.Helper()
	for _, look := range s.seen.Timeline().Looks {
		if look.From.Before(span.From) || look.To.After(span.To) {
			continue
		}
		revisions := map[string]bool{}
		for _, c := range look.Containers {
			if c.Live() {
				revisions[c.Revision] = true
			}
		}
		if len(revisions) > 1 {
			s.t.Errorf("got two revisions live at once: %v", look.Containers)
		}
	}
}
