package reconcile_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers/fake"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

// serving answers /healthz as the container's environment says: FOO=bad never well, FOO=flaps well every other second,
// FOO=dies well for 20 seconds, FOO=slow after 10 minutes, and anything else always.
func serving(v fake.Visit) func(net.Conn) {
	well := true
	switch v.Env["FOO"] {
	case "bad":
		well = false
	case "flaps":
		well = int(v.Up.Seconds())%2 == 0
	case "dies":
		well = v.Up < 20*time.Second
	case "slow":
		well = v.Up > 10*time.Minute
	}
	return func(c net.Conn) {
		defer c.Close()
		if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
			return
		}
		status := "200 OK"
		if !well {
			status = "503 Service Unavailable"
		}
		fmt.Fprintf(c, "HTTP/1.1 %s\r\nContent-Length: 3\r\nConnection: close\r\n\r\nfoo", status)
	}
}

// rolling is a fleet whose workload is asked for its health and updated a few at a time.
func rolling(replicas int, hosts ...fleet.HostName) *fleet.Fleet {
	f := shop(replicas, hosts...)
	w := &f.Workloads[0]
	w.Health = fleet.Healthcheck{Kind: fleet.CheckHTTP, Path: "/healthz", Port: "http", Interval: 5 * time.Second, Timeout: 3 * time.Second, Retries: 3}
	w.Update = fleet.Update{
		MaxParallel: fleet.Amount{N: 2}, MaxSurge: fleet.Amount{N: 2}, Order: fleet.StartFirst,
		MinHealthyTime: 10 * time.Second, HealthyDeadline: 5 * time.Minute,
	}
	return f
}

// rollRig is a rig whose image serves.
func rollRig(t *testing.T, hosts ...fleet.HostName) *rig {
	return newRigOf(t, time.Now, fake.NewImage("web").Serving(serving), hosts...)
}

// roll applies, and takes back what fails, as the command does. back is nil where nothing had to be taken back.
func (r *rig) roll(f *fleet.Fleet, o reconcile.Options) (forth, back *apply.Report) {
	r.t.Helper()
	forth, back, err := r.tryRoll(f, o)
	if err != nil {
		r.t.Fatal(err)
	}
	return forth, back
}

func (r *rig) tryRoll(f *fleet.Fleet, o reconcile.Options) (forth, back *apply.Report, err error) {
	l, err := r.store.Lock(r.ctx, state.Holder{ID: r.pass.NewID(), Who: "test"}, 0)
	if err != nil {
		return nil, nil, err
	}
	defer l.Unlock()
	if _, err := state.EnsureMeta(r.ctx, r.store, "shop", epoch, r.pass.NewID, zeros{}); err != nil {
		return nil, nil, err
	}
	w := reconcile.Wanted{Fleet: f, Config: "test"}
	p, err := r.pass.Plan(r.ctx, w, o)
	if err != nil {
		return nil, nil, err
	}
	r.last = append(r.last, describe(p)+"with:\n"+r.where()+"\n")
	if forth, err = r.pass.Apply(r.ctx, p, nil, l, r.apply); err != nil {
		return forth, nil, err
	}
	if p, err = r.pass.WayBack(r.ctx, w, forth); p == nil || err != nil {
		return forth, nil, err
	}
	r.last = append(r.last, describe(p)+"with:\n"+r.where()+"\n")
	back, err = r.pass.Apply(r.ctx, p, nil, l, r.apply)
	return forth, back, err
}

func TestRolloutThatIsGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rollRig(t, "a", "b", "c")
		f := rolling(6, "a", "b", "c")
		r.roll(f, reconcile.Options{})
		r.settled(f)
		begin := time.Now()
		g := with(f, "new")
		forth, back := r.roll(g, reconcile.Options{})
		if forth.Result != state.PlanDone || back != nil || forth.Done.Replace != 6 {
			t.Fatalf("got %s, %+v, failures %v", forth.Result, forth.Done, forth.Failures)
		}
		// Three batches, each healthy for ten seconds.
		if took := time.Since(begin); took < 30*time.Second || took > 45*time.Second {
			t.Errorf("took %s", took)
		}
		r.settled(g)
		r.empty(g)
		if s := r.load().Rollouts["web"]; s.Status != state.RolloutDone {
			t.Errorf("recorded: %+v", s)
		}
	})
}

// A release that is bad is stopped within its batch and taken back whole; nothing of the rest is touched; and it is not tried
// again before it changes.
func TestRolloutThatIsBad(t *testing.T) {
	for _, how := range []string{"bad", "flaps", "dies", "slow"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rollRig(t, "a", "b", "c")
				f := with(rolling(6, "a", "b", "c"), "good")
				r.roll(f, reconcile.Options{})
				before := r.load().Replicas
				g := with(f, how)
				forth, back := r.roll(g, reconcile.Options{})
				if forth.Result != state.PlanFailed || back == nil || back.Result != state.PlanDone {
					t.Fatalf("forth %s, back %+v", forth.Result, back)
				}
				r.settled(f)
				touched := 0
				for id, rec := range r.load().Replicas {
					if rec.Generation != before[id].Generation {
						touched++
					}
				}
				if limit := map[string]int{"dies": 4}[how]; touched > max(limit, 2) {
					t.Errorf("%d replicas were touched, in batches of 2", touched)
				}
				s := r.load().Rollouts["web"]
				if s.Status != state.RolloutTaken || !strings.Contains(s.Why, "web[") {
					t.Errorf("recorded: %s, %q", s.Status, s.Why)
				}

				p := r.plan(g, reconcile.Options{})
				if !p.Empty() || len(p.Held) != 1 || p.Held[0].Status != state.RolloutTaken {
					t.Errorf("the plan of the same again: %d steps, held %+v", len(p.Steps), p.Held)
				}
				r.empty(f)
				if p := r.plan(g, reconcile.Options{Force: true}); p.Empty() {
					t.Error("with force nothing would be done")
				}
				h := with(f, "mended")
				if forth, back := r.roll(h, reconcile.Options{}); forth.Result != state.PlanDone || back != nil {
					t.Errorf("a newer release: %s", forth.Result)
				}
				r.settled(h)
			})
		})
	}
}

// What was never good has nothing to go back to.
func TestFirstRolloutThatIsBad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rollRig(t, "a")
		f := with(rolling(2, "a"), "bad")
		forth, back := r.roll(f, reconcile.Options{})
		if forth.Result != state.PlanFailed || back != nil {
			t.Fatalf("forth %s, back %v", forth.Result, back)
		}
		if s := r.load().Rollouts["web"]; s.Status != state.RolloutHalted {
			t.Errorf("recorded: %+v", s)
		}
		g := with(f, "good")
		if forth, _ := r.roll(g, reconcile.Options{}); forth.Result != state.PlanDone {
			t.Errorf("the next: %s", forth.Result)
		}
		r.settled(g)
	})
}

// Who says that the rest is to be updated all the same gets that, and who says that it is to wait gets that.
func TestRolloutThatFailsAsAskedFor(t *testing.T) {
	for _, c := range []struct {
		on      fleet.OnFailure
		result  state.PlanResult
		status  state.RolloutStatus
		changed int
	}{
		{fleet.FailureContinue, state.PlanDone, state.RolloutDone, 6},
		{fleet.FailurePause, state.PlanFailed, state.RolloutPaused, 0},
	} {
		t.Run(string(c.on), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := rollRig(t, "a", "b", "c")
				f := with(rolling(6, "a", "b", "c"), "good")
				f.Workloads[0].Update.OnFailure = c.on
				r.roll(f, reconcile.Options{})
				forth, back := r.roll(with(f, "bad"), reconcile.Options{})
				if forth.Result != c.result || back != nil || forth.Done.Replace != c.changed {
					t.Errorf("got %s, %+v, back %v", forth.Result, forth.Done, back)
				}
				if s := r.load().Rollouts["web"]; s.Status != c.status {
					t.Errorf("recorded: %+v", s)
				}
				if p := r.plan(with(f, "bad"), reconcile.Options{}); !p.Empty() {
					t.Errorf("the plan after it:\n%s", describe(p))
				}
			})
		})
	}
}

// A rollout that makes no progress ends before each of its replicas has had its own time.
func TestRolloutWithoutProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := rollRig(t, "a")
		f := with(rolling(2, "a"), "good")
		f.Workloads[0].Update.ProgressDeadline = time.Minute
		r.roll(f, reconcile.Options{})
		begin := time.Now()
		r.roll(with(f, "bad"), reconcile.Options{})
		if took := time.Since(begin); took < time.Minute || took > 2*time.Minute {
			t.Errorf("took %s, want a minute and a little", took)
		}
	})
}
