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
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers/fake"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
)

const task = "example.com/task:1"

// working is an image whose containers work for ten seconds and end as the plan of the test says: with the next of the statuses,
// and with the last one from then on. runs counts how many were started.
func working(runs *int, statuses ...int) fake.Image {
	i := fake.NewImage("task").Dying(10*time.Second, 0)
	n := 0
	var mu sync.Mutex // of several hosts
	i.Program = func(p fake.Process) fake.Outcome {
		if p.Signal != "" {
			return fake.Outcome{Exited: true}
		}
		mu.Lock()
		defer mu.Unlock()
		n++
		*runs++
		status := statuses[min(n, len(statuses))-1]
		fmt.Fprintf(p.Stdout, "run %d will end with %d\n", n, status)
		return fake.Outcome{Exited: status != 0, Status: status}
	}
	return i
}

// jobRig is a rig whose hosts have the image of a job too.
func jobRig(t *testing.T, i fake.Image, hosts ...fleet.HostName) *rig {
	r := rollRig(t, hosts...)
	for _, h := range r.world.Hosts() {
		h.AddPulled(task, i)
	}
	return r
}

// migrating is a fleet whose workload depends on a job.
func migrating(v string, retries, runs int, hosts ...fleet.HostName) *fleet.Fleet {
	f := shop(2, hosts...)
	f.Workloads[0].DependsOn = []fleet.Addr{"job.migrate"}
	f.Workloads = append(f.Workloads, fleet.Workload{
		Name: "migrate", Mode: fleet.Replicated, Replicas: runs, PullPolicy: fleet.PullMissing, StopTimeout: 10 * time.Second,
		Spec: fleet.Spec{Image: fleet.Image{Ref: task}, Restart: fleet.RestartNo, Env: map[string]fleet.Text{"V": {Plain: v}}},
		Job:  &fleet.Job{Retries: retries, Timeout: time.Minute},
	}, workload("other", 1))
	f.Workloads[0].Spec.Env = map[string]fleet.Text{"V": {Plain: v}}
	sortWorkloads(f)
	return f
}

func TestJobRunsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := jobRig(t, working(new(int), 0), "a", "b")
		f := migrating("1", 0, 2, "a", "b")
		var order []string
		begin := time.Now()
		r.pass.Observe = func(e apply.Event) {
			if e.Kind == apply.EventDone && (e.Action == plan.KindRun || e.Action == plan.KindComplete) {
				order = append(order, fmt.Sprintf("%s %s %s", time.Since(begin).Round(time.Second), e.Action, e.Addr))
			}
		}
		rep := r.must(f, reconcile.Options{})
		if rep.Done.Add != 5 {
			t.Errorf("%+v done", rep.Done)
		}
		slices.Sort(order)
		want := []string{"0s run job.migrate[0]", "0s run job.migrate[1]", "0s run workload.other[0]",
			"10s complete job.migrate[0]", "10s complete job.migrate[1]", "10s run workload.web[0]", "10s run workload.web[1]"}
		// The looks are a second apart.
		got := strings.ReplaceAll(strings.Join(order, "\n"), "11s", "10s")
		if got != strings.Join(want, "\n") {
			t.Errorf("got\n%s", got)
		}
		r.settled(f)
		r.empty(f)
		for _, h := range r.world.Hosts() {
			for _, c := range h.Containers() {
				if c.Identity.Replica.Workload == "migrate" && c.Identity.Replica.Slot == 0 {
					h.Remove(c.Name)
				}
			}
		}
		if p := r.plan(f, reconcile.Options{}); !p.Empty() || len(p.Drift) > 0 {
			t.Errorf("the container of a run that has completed is gone:\n%s", describe(p))
		}
		if p := r.plan(f, reconcile.Options{Mode: plan.RefreshOnly}); !p.Empty() {
			t.Errorf("refreshed:\n%s", describe(p))
		}
		g := migrating("2", 0, 2, "a", "b")
		if rep := r.must(g, reconcile.Options{}); rep.Done.Add != 2 || rep.Done.Replace != 2 {
			t.Errorf("%+v done", rep.Done)
		}
		r.settled(g)
		r.empty(g)
		r.must(g, reconcile.Options{Mode: plan.Destroy})
		if got := r.where(); got != "" {
			t.Errorf("after destroy:\n%s", got)
		}
	})
}

func TestJobIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := jobRig(t, working(new(int), 1, 2, 0), "a")
		f := migrating("1", 2, 1, "a")
		r.must(f, reconcile.Options{})
		r.settled(f)
		r.empty(f)
	})
}

func TestJobThatFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := jobRig(t, working(new(int), 1, 2, 3, 0), "a")
		f := migrating("1", 1, 1, "a")
		rep, err := r.run(f, reconcile.Options{})
		if err != nil || rep.Result != state.PlanFailed || len(rep.Failures) != 1 {
			t.Fatalf("%+v, %v", rep, err)
		}
		var failed *apply.FailedError
		if !errors.As(rep.Failures[0].Err, &failed) || failed.Runs != 2 || failed.Why != "exit status 2" || !strings.Contains(strings.Join(failed.Logs, "\n"), "run 2 will end with 2") {
			t.Errorf("got %+v", rep.Failures[0].Err)
		}
		if got := r.where(); got != "migrate[0] a g1 exited\nother[0] a g1 running" {
			t.Errorf("stands:\n%s", got)
		}
		// The next apply runs it anew, and has its own tries.
		r.must(f, reconcile.Options{})
		r.settled(f)
		r.empty(f)
		if got := r.load().Replicas[fleet.ReplicaID{Workload: "migrate"}]; got.Generation != 2 || !got.Proven || got.Failed != 0 {
			t.Errorf("recorded: %+v", got)
		}
	})
}

// A start whose answer was lost is looked after, and what has ended meanwhile is not started a second time.
func TestJobWhoseStartIsUnknown(t *testing.T) {
	for _, kind := range []fake.FaultKind{fake.CutBefore, fake.CutAfter} {
		synctest.Test(t, func(t *testing.T) {
			runs := 0
			i := fake.NewImage("task")
			i.Program = func(fake.Process) fake.Outcome { runs++; return fake.Outcome{Exited: true} }
			r := jobRig(t, i, "a")
			f := migrating("1", 0, 1, "a")
			r.world.Inject(fake.Fault{Op: fake.OpStart, Object: "shop-migrate-0-g1", Kind: kind, Times: 1})
			r.must(f, reconcile.Options{})
			r.settled(f)
			if runs != 1 {
				t.Errorf("%v: %d runs", kind, runs)
			}
		})
	}
}

// A job that has completed takes up nothing, and nobody is hurt when its host is lost.
func TestJobThatHasCompletedTakesNoRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := jobRig(t, working(new(int), 0), "a")
		h := r.world.Hosts()[0]
		info := h.Info()
		info.Capacity.Memory = fleet.GiB
		h.SetInfo(info)
		f := migrating("1", 0, 1, "a")
		web := f.Workloads[slices.IndexFunc(f.Workloads, func(w fleet.Workload) bool { return w.Name == "web" })]
		f.Workloads = slices.DeleteFunc(f.Workloads, func(w fleet.Workload) bool { return w.Job == nil })
		f.Workloads[0].Reserve.Memory = 800 * fleet.MiB
		if p := r.plan(f, reconcile.Options{}); p.Loads[0].After.Memory != 800*fleet.MiB || len(p.Survival.Losses) > 0 {
			t.Errorf("while it runs: %+v, %+v", p.Loads, p.Survival)
		}
		r.must(f, reconcile.Options{})
		web.Reserve.Memory = 400 * fleet.MiB
		f.Workloads = append(f.Workloads, web)
		r.must(f, reconcile.Options{})
		r.settled(f)
		r.empty(f)
	})
}

// A run that takes too long is stopped, and has failed although its container then ends with status 0.
func TestJobThatTakesTooLong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := jobRig(t, fake.NewImage("task"), "a")
		f := migrating("1", 1, 1, "a")
		begin := time.Now()
		rep, err := r.run(f, reconcile.Options{})
		if err != nil || rep.Result != state.PlanFailed {
			t.Fatalf("%+v, %v", rep, err)
		}
		if took := time.Since(begin); took < 2*time.Minute || took > 130*time.Second {
			t.Errorf("two runs of a minute took %s", took)
		}
		if got := rep.Failures[0].Err.Error(); !strings.Contains(got, "it took longer than 1m0s, the last of 2 runs") {
			t.Errorf("got %q", got)
		}
		if got := r.where(); !strings.HasPrefix(got, "migrate[0] a g1 exited\n") {
			t.Errorf("stands:\n%s", got)
		}
	})
}

// Who is killed at any point of an apply with a job leaves it to the next one, and no run that has completed is made twice.
func TestJobKilledAnywhere(t *testing.T) {
	for _, c := range []struct {
		name     string
		statuses []int
	}{{"good", []int{0}}, {"tried again", []int{4, 0}}} {
		t.Run(c.name, func(t *testing.T) {
			var calls, records int
			once := func(t *testing.T, at point) (dead bool) {
				synctest.Test(t, func(t *testing.T) {
					r := jobRig(t, working(new(int), 0), "a", "b")
					r.must(migrating("1", 2, 1, "a", "b"), reconcile.Options{})
					runs := 0
					for _, h := range r.world.Hosts() {
						h.RemoveImage(task)
						h.AddPulled(task, working(&runs, c.statuses...))
					}
					f := migrating("2", 2, 1, "a", "b")
					k := &killer{made: map[string]string{}}
					k.watch(r, at)
					if rep, err := r.run(f, reconcile.Options{}); !k.dead && (err != nil || rep.Result != state.PlanDone) {
						t.Errorf("%v: not killed, and yet: %+v, %v", at, rep, err)
					}
					dead, calls, records = k.dead, k.calls, k.ops
					k.rest(r)
					<-time.After(time.Millisecond) // a process is not there at once: two runs never start at one moment
					k.watch(r, point{})
					if rep, err := r.run(f, reconcile.Options{}); err != nil || rep.Result != state.PlanDone {
						t.Errorf("%v: the process after it: %+v, %v\n%s", at, rep, err, strings.Join(r.last, "\n"))
					}
					k.rest(r)
					problems := append(r.problems(f), k.broken...)
					if p := r.plan(f, reconcile.Options{}); !p.Empty() {
						problems = append(problems, "the plan after it is not empty:\n"+describe(p))
					}
					rec := r.load().Replicas[fleet.ReplicaID{Workload: "migrate"}]
					if rec.Generation != 2 || !rec.Proven || runs != len(c.statuses) {
						problems = append(problems, fmt.Sprintf("%d runs, recorded: %+v", runs, rec))
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
			}
			if deaths < len(all)*9/10 {
				t.Errorf("%d of %d points killed", deaths, len(all))
			}
			t.Logf("%d points", len(all))
		})
	}
}
