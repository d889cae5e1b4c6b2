package reconcile_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers/fake"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

// hookWorld is the image whose containers serve, and run hooks: a hook's command is its kind, it works for three seconds and ends
// with the status that statuses has for it. log is what ran, in order.
type hookWorld struct {
	statuses map[string]int
	mu       sync.Mutex // the hosts are several; guards what follows
	log      []string
	at       []string  // likewise, with the environment that it saw
	until    time.Time // when the last one ends
	beside   bool      // two ran at once
}

func (w *hookWorld) image() fake.Image {
	i := fake.NewImage("web").Serving(serving)
	i.Program = func(p fake.Process) fake.Outcome {
		if len(p.Args) == 0 || p.Signal != "" {
			return fake.Outcome{Exited: p.Signal != ""}
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.beside = w.beside || time.Now().Before(w.until)
		w.until = time.Now().Add(3 * time.Second)
		w.log = append(w.log, p.Args[0])
		w.at = append(w.at, p.Args[0]+" "+p.Env["FOO"])
		fmt.Fprintf(p.Stdout, "%s says hello\n", p.Args[0])
		return fake.Outcome{After: 3 * time.Second, Status: w.statuses[p.Args[0]]}
	}
	return i
}

// hooked is a fleet that is rolled out with hooks.
func hooked(kinds ...fleet.HookKind) *fleet.Fleet {
	f := with(rolling(3, "a", "b"), "good")
	for _, k := range kinds {
		f.Workloads[0].Hooks = append(f.Workloads[0].Hooks, fleet.Hook{Kind: k, Command: []string{string(k)}, Timeout: time.Minute})
	}
	slices.SortFunc(f.Workloads[0].Hooks, func(a, b fleet.Hook) int { return strings.Compare(string(a.Kind), string(b.Kind)) })
	return f
}

var allHooks = []fleet.HookKind{fleet.HookPreDeploy, fleet.HookPostDeploy, fleet.HookOnFailure}

func hookRig(t *testing.T, w *hookWorld) *rig { return newRigOf(t, time.Now, w.image(), "a", "b") }

func TestHooksRunOnceARollout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &hookWorld{}
		r := hookRig(t, w)
		var said []string
		r.pass.Observe = func(e apply.Event) {
			if e.Kind == apply.EventOutput {
				said = append(said, fmt.Sprintf("%s %s", e.Addr, e.Text))
			}
		}
		f := hooked(allHooks...)
		r.roll(f, reconcile.Options{})
		r.settled(f)
		r.empty(f)
		g := with(f, "new")
		if forth, back := r.roll(g, reconcile.Options{}); forth.Result != state.PlanDone || back != nil {
			t.Fatalf("%s: %v", forth.Result, forth.Failures)
		}
		r.settled(g)
		r.empty(g)
		if got, want := strings.Join(w.at, ", "), "pre_deploy good, post_deploy good, pre_deploy new, post_deploy new"; got != want {
			t.Errorf("ran %s, want %s", got, want)
		}
		if len(said) != 4 || said[0] != "workload.web[pre_deploy] pre_deploy says hello" {
			t.Errorf("said: %q", said)
		}
		// What is no rollout runs none.
		h := with(g, "new")
		h.Workloads[0].Replicas = 4
		r.roll(h, reconcile.Options{})
		r.settled(h)
		if len(w.log) != 4 {
			t.Errorf("ran %v", w.log)
		}
	})
}

// A failing pre_deploy changes nothing: no container of a replica is touched, and the revision is not tried again.
func TestPreDeployThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &hookWorld{statuses: map[string]int{}}
		r := hookRig(t, w)
		f := hooked(allHooks...)
		r.roll(f, reconcile.Options{})
		before := r.where()
		w.statuses["pre_deploy"] = 7
		g := with(f, "new")
		forth, back := r.roll(g, reconcile.Options{})
		if forth.Result != state.PlanFailed || back != nil || len(forth.Rollouts) != 1 || forth.Rollouts[0].Status != state.RolloutTaken {
			t.Fatalf("%+v, back %+v", forth, back)
		}
		var failed *apply.FailedError
		if err := forth.Rollouts[0].Err; !errors.As(err, &failed) || failed.Why != "exit status 7" || len(failed.Logs) != 1 {
			t.Errorf("got %v", err)
		}
		if got := r.where(); got != before {
			t.Errorf("stood:\n%s\nstands:\n%s", before, got)
		}
		r.settled(f)
		p := r.plan(g, reconcile.Options{})
		if !p.Empty() || len(p.Held) != 1 || len(p.Rollouts) != 0 {
			t.Errorf("the same again: held %+v, rollouts %+v\n%s", p.Held, p.Rollouts, describe(p))
		}
		r.empty(f)
		delete(w.statuses, "pre_deploy")
		if forth, _ := r.roll(g, reconcile.Options{Force: true}); forth.Result != state.PlanDone {
			t.Errorf("with force: %+v", forth)
		}
		r.settled(g)
		if got, want := strings.Join(w.log[2:], ", "), "pre_deploy, pre_deploy, post_deploy"; got != want {
			t.Errorf("ran %s, want %s", got, want)
		}
	})
}

func TestFirstPreDeployThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &hookWorld{statuses: map[string]int{"pre_deploy": 1}}
		r := hookRig(t, w)
		f := hooked(fleet.HookPreDeploy)
		forth, back := r.roll(f, reconcile.Options{})
		if forth.Result != state.PlanFailed || back != nil || forth.Rollouts[0].Status != state.RolloutTaken {
			t.Fatalf("%+v, back %+v", forth, back)
		}
		if got := r.where(); got != "" {
			t.Errorf("stands:\n%s", got)
		}
		r.empty(f)
		delete(w.statuses, "pre_deploy")
		g := with(f, "mended")
		r.roll(g, reconcile.Options{})
		r.settled(g)
		r.empty(g)
	})
}

// A failing post_deploy is a failing gate: all of it goes back, after on_failure has run in the image that failed.
func TestPostDeployThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &hookWorld{statuses: map[string]int{"on_failure": 1}}
		r := hookRig(t, w)
		f := hooked(allHooks...)
		r.roll(f, reconcile.Options{})
		w.statuses["post_deploy"] = 1
		g := with(f, "new")
		forth, back := r.roll(g, reconcile.Options{})
		if forth.Result != state.PlanFailed || back == nil || back.Result != state.PlanDone {
			t.Fatalf("forth %+v, back %+v", forth, back)
		}
		r.settled(f)
		r.empty(f)
		if got, want := strings.Join(w.at[2:], ", "), "pre_deploy new, post_deploy new, on_failure new"; got != want {
			t.Errorf("ran %s, want %s", got, want)
		}
		if s := r.load().Rollouts["web"]; s.Status != state.RolloutTaken || !strings.Contains(s.Why, "web[post_deploy]") {
			t.Errorf("recorded: %s, %s", s.Status, s.Why)
		}
	})
}

// on_failure runs before the way back, and where there is none.
func TestOnFailure(t *testing.T) {
	for _, on := range []fleet.OnFailure{fleet.FailureRollback, fleet.FailurePause} {
		t.Run(string(on), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &hookWorld{}
				r := hookRig(t, w)
				f := hooked(fleet.HookOnFailure)
				f.Workloads[0].Update.OnFailure = on
				r.roll(f, reconcile.Options{})
				g := with(f, "bad")
				forth, back := r.roll(g, reconcile.Options{})
				if forth.Result != state.PlanFailed || back == nil || back.Result != state.PlanDone {
					t.Fatalf("forth %+v, back %+v", forth, back)
				}
				if got := strings.Join(w.at, ", "); got != "on_failure bad" {
					t.Errorf("ran %s", got)
				}
				if on == fleet.FailureRollback {
					r.settled(f)
				}
				if p := r.plan(g, reconcile.Options{}); !p.Empty() {
					t.Errorf("the plan after it:\n%s", describe(p))
				}
			})
		})
	}
}

// A hook that takes longer than it may has failed.
func TestHookThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		i := fake.NewImage("web").Serving(serving)
		r := newRigOf(t, time.Now, i, "a", "b")
		f := hooked(fleet.HookPreDeploy)
		begin := time.Now()
		forth, _ := r.roll(f, reconcile.Options{})
		if took := time.Since(begin); forth.Result != state.PlanFailed || took < time.Minute || took > 65*time.Second {
			t.Errorf("%s after %s: %v", forth.Result, took, forth.Failures)
		}
		if got := r.where(); got != "" {
			t.Errorf("stands:\n%s", got)
		}
	})
}

// Who is killed in a rollout with hooks, at whatever place, leaves it to the next, who ends it like one who was not. Each hook runs
// once, and none beside another.
func TestHooksKilledAnywhere(t *testing.T) {
	for _, c := range []struct {
		name     string
		statuses map[string]int
		v        string
		status   state.RolloutStatus
	}{
		{"good", nil, "new", state.RolloutDone},
		{"bad", nil, "bad", state.RolloutTaken},
		{"pre_deploy fails", map[string]int{"pre_deploy": 1}, "new", state.RolloutTaken},
		{"post_deploy fails", map[string]int{"post_deploy": 1}, "new", state.RolloutTaken},
	} {
		t.Run(c.name, func(t *testing.T) {
			var calls, records int
			once := func(t *testing.T, at point) (dead bool) {
				synctest.Test(t, func(t *testing.T) {
					w := &hookWorld{}
					r := hookRig(t, w)
					f := hooked(allHooks...)
					r.roll(f, reconcile.Options{})
					w.statuses, w.log = c.statuses, nil
					g, end := with(f, c.v), f
					if c.status == state.RolloutDone {
						end = g
					}
					k := &killer{made: map[string]string{}}
					k.watch(r, at)
					if _, _, err := r.tryRoll(g, reconcile.Options{}); err != nil && !k.dead {
						t.Errorf("%v: not killed, and yet: %v", at, err)
					}
					dead, calls, records = k.dead, k.calls, k.ops
					k.rest(r)
					<-time.After(time.Millisecond)
					k.watch(r, point{})
					if _, _, err := r.tryRoll(g, reconcile.Options{}); err != nil {
						t.Errorf("%v: the process after it: %v", at, err)
					}
					k.rest(r)
					problems := append(r.problems(end), k.broken...)
					if s := r.load().Rollouts["web"]; s.Status != c.status {
						problems = append(problems, fmt.Sprintf("the rollout is %s, want %s: %s", s.Status, c.status, s.Why))
					}
					if p := r.plan(g, reconcile.Options{}); !p.Empty() {
						problems = append(problems, "the plan after it is not empty:\n"+describe(p))
					}
					if w.beside {
						problems = append(problems, "two hooks ran at once")
					}
					ran := map[string]int{}
					for _, what := range w.log {
						ran[what]++
					}
					want := map[string]bool{"pre_deploy": true, "post_deploy": c.v != "bad" && c.statuses["pre_deploy"] == 0,
						"on_failure": c.status == state.RolloutTaken && c.statuses["pre_deploy"] == 0}
					for what, wanted := range want {
						if n := ran[what]; n > 1 || (n > 0) != wanted {
							problems = append(problems, fmt.Sprintf("%s ran %d times, wanted: %v", what, n, wanted))
						}
					}
					if len(problems) > 0 {
						t.Errorf("%v:\n  %s\n%s", at, strings.Join(problems, "\n  "), strings.Join(r.last, "\n"))
					}
				})
				return dead
			}
			once(t, point{})
			all, deaths := points(calls, records), 0
			for _, p := range all {
				if once(t, p) {
					deaths++
				}
				if t.Failed() {
					return
				}
			}
			if deaths < len(all)*9/10 {
				t.Errorf("%d of %d points killed", deaths, len(all))
			}
			t.Logf("%d points", len(all))
		})
	}
}
