package main

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/internal/observer"
	"github.com/stowage-run/stowage/internal/testfleet"
)

// badRelease is one that must not reach all replicas.
type badRelease struct {
	name   string
	env    string
	check  string   // of the health check
	update string   // of the update
	says   []string // of the apply
	most   int      // slots that may come to have a container of it
	die    int      // replicas that may be unhealthy at once, since those of the release die
	kill   string   // the line of the apply's output after which it is killed
}

// badReleases has bad releases go out to 6 replicas, 2 at a time, each unharmed and with the process killed by SIGKILL at a random
// moment of its gates.
func badReleases(t *testing.T, hosts []*testfleet.Host, local *testfleet.Host) {
	const (
		replicas = 6
		two      = "    max_parallel = 2\n    max_surge = 2\n"
		soon     = two + "    min_healthy_time = \"300ms\"\n    healthy_deadline = \"2s\"\n"
		waiting  = "Waiting until healthy..."
	)
	s := openShop(t, "rollbad", hosts, local)
	seed := time.Now().UnixNano()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(uint64(seed), 0))
	good := goods{replicas: replicas, env: `MESSAGE = "good"`, update: soon}
	s.want(good)
	s.exits(0, "apply -auto-approve")
	was := s.rests(replicas, s.image("stowage-web:1"))
	for _, bad := range []badRelease{
		{name: "exits", env: `EXIT = "3"`, update: soon, most: 2, kill: "Creating...", says: []string{"web: ends with status 3, as it was told to"}},
		{name: "never healthy", env: `HEALTH_FAIL = "1"`, update: soon, most: 2, kill: waiting, says: []string{"not healthy for 300ms within 2s; the last answer: GET /healthz: 503"}},
		{name: "slow", env: `HEALTH_AFTER = "1m"`, update: soon, most: 2, kill: waiting, says: []string{"not healthy for 300ms within 2s; the last answer: GET /healthz: 503"}},
		{name: "hangs", env: `HEALTH_DELAY = "20s"`, check: `timeout = "500ms"`, update: soon, most: 2, kill: waiting, says: []string{"GET /healthz: no answer within 500ms"}},
		{
			name: "flaps", env: `FLAP = "700ms"`, check: "interval = \"300ms\"\n    retries = 1",
			update: two + "    min_healthy_time = \"2s\"\n    healthy_deadline = \"6s\"\n", most: 2, kill: waiting, says: []string{"GET /healthz: 503"},
		},
		{
			name: "dies", env: `DIE_AFTER = "3s"`, check: `interval = "500ms"`,
			update: two + "    min_healthy_time = \"2s\"\n    healthy_deadline = \"10s\"\n", most: 4, die: 4, kill: waiting, says: []string{"was healthy and is no longer: it ended and was started again"},
		},
	} {
		for _, killed := range []bool{false, true} {
			name := bad.name
			if killed {
				name += ", killed"
			}
			t.Run(name, func(t *testing.T) {
				s.t = t
				r := goods{replicas: replicas, update: bad.update, check: bad.check}
				before := s.ids()
				span := during(func() {
					r.env = fmt.Sprintf("TRY = \"%v\"\n    %s", killed, bad.env)
					s.want(r)
					for try := 0; killed && !s.dies(bad.kill, time.Duration(chance.IntN(1500>>try))*time.Millisecond); try++ {
						r.env = fmt.Sprintf("TRY = \"%d\"\n    %s", try, bad.env) // it was done before it was to be killed
						s.want(r)
					}
					s.exits(4, "apply -auto-approve", append(bad.says, "Error: The rollout of workload.web failed", "All of it was taken back to release", "The last lines of its output:")...)
				})
				s.takenBack(taken{replicas: replicas, revision: was, span: span, most: bad.most, healthy: replicas - bad.die, before: before})
			})
		}
	}
}

// ids are the containers of web by slot.
func (s *shop) ids() map[int]string {
	s.t.Helper()
	moment, seen := s.atRest()
	there, _ := seen.At(moment)
	ids := map[int]string{}
	for _, c := range there {
		ids[c.Slot] = c.ID
	}
	return ids
}

// taken is what a rollout that failed is to leave.
type taken struct {
	replicas int
	revision string         // of all replicas
	span     observer.Span  // of the rollout and the way back
	most     int            // slots that may have had a container of another revision
	healthy  int            // replicas that were so all the time
	before   map[int]string // the containers by slot
}

// takenBack checks that all is again as it was, that only so many slots were ever touched, that no replica went missing meanwhile,
// and that the same is not tried again.
func (s *shop) takenBack(want taken) {
	s.t.Helper()
	if got := s.rests(want.replicas, s.image("stowage-web:1")); got != want.revision {
		s.t.Errorf("got revision %s at rest, want %s", got, want.revision)
	}
	s.within(want.span, want.healthy, want.replicas+2)
	seen := s.seen.Timeline()
	touched := map[int]bool{}
	for _, look := range seen.Looks {
		for _, c := range look.Containers {
			if !look.From.Before(want.span.From) && c.Revision != want.revision {
				touched[c.Slot] = true
			}
		}
	}
	if len(touched) > want.most || len(touched) == 0 {
		s.t.Errorf("got slots %v touched by the bad release, want 1 to %d", touched, want.most)
	}
	after := s.ids()
	for slot := range touched {
		delete(want.before, slot)
		delete(after, slot)
	}
	if diff := cmp.Diff(want.before, after); diff != "" {
		s.t.Errorf("replicas that the release had not reached: -before +after\n%s", diff)
	}
	s.exits(0, "plan -detailed-exitcode", "Held: workload.web was taken back to release", "is not tried again as it is")
	s.exits(0, "status", "Quarantined: workload.web was taken back to release", "stowage apply -force")
	s.exits(1, "apply -auto-approve", "The change of workload.web has failed before", "stowage apply -force")
}

// dies runs an apply and kills it by SIGKILL some time after it has said something. It reports whether it was not done by then.
func (s *shop) dies(after string, wait time.Duration) bool {
	s.t.Helper()
	cmd := s.command("apply", "-auto-approve")
	out, err := cmd.StdoutPipe()
	s.check(err)
	s.check(cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.HasSuffix(lines.Text(), after) {
	}
	kill := time.AfterFunc(wait, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	_, _ = io.Copy(io.Discard, out) // until it ends, one way or the other
	_ = cmd.Wait()
	dead := killedBySignal(cmd)
	s.t.Logf("to be killed %v after %q: %v", wait, after, dead)
	return dead
}

func killedBySignal(cmd *exec.Cmd) bool {
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}
