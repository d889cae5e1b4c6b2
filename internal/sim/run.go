package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers/fake"
	"github.com/stowage-run/stowage/state"
	"github.com/stowage-run/stowage/state/memory"
)

// Sim is one life of a fleet.
type Sim struct {
	chance  chance
	profile profile
	world   *fake.World
	began   time.Time
	ids     atomic.Int64

	mu        sync.Mutex // guards all below; nobody waits for time to pass while holding it
	store     *memory.Store
	watch     *watch
	process   *process
	processes int
	kills     int  // that may still come
	faulty    bool // things may go wrong now
	times     map[string]int
	fates     map[int]string // the name of a call under way, by its number
	trace     []string
	stats     Stats
}

// Result is what a life has shown.
type Result struct {
	Seed    uint64
	Profile string
	Broken  []string // what is not as it must be, in order; none: all is well
	Trace   []string // what has happened, one line each
	Stats   Stats
}

// Stats says what a life was made of, so that a test can see that it tests something.
type Stats struct {
	Processes, Killed, Changes, Refused int
	Done, Taken, Halted, Paused         int // rollouts at rest
	Checks                              int
}

// Run lives the life of a seed. It has to be called in a bubble of testing/synctest and blocks until the life is over; in the
// bubble that takes no time. Equal seeds give equal results.
func Run(ctx context.Context, seed uint64) Result {
	r := rand.New(rand.NewPCG(seed, 1))
	all := profiles()
	s := &Sim{
		chance: chance(seed), profile: all[r.IntN(len(all))], world: newWorld(), began: time.Now(), store: memory.New(),
		times: map[string]int{}, fates: map[int]string{},
	}
	s.watch = newWatch(s.world)
	s.watch.tell = s.note
	s.world.SetHook(s.hook())
	f := firstFleet(r)
	l := life{Sim: s, ctx: ctx, rnd: r, fleet: f}
	l.live()
	s.world.SetHook(fake.Hook{})
	s.stats.Processes, s.stats.Checks = s.processes, s.watch.reached
	return Result{Seed: seed, Profile: s.profile.name, Broken: s.watch.broken, Trace: s.trace, Stats: s.stats}
}

func (s *Sim) note(format string, args ...any) {
	s.trace = append(s.trace, fmt.Sprintf("%12.6f  ", time.Since(s.began).Seconds())+fmt.Sprintf(format, args...))
}

// life is what the person at the keyboard knows.
type life struct {
	*Sim
	ctx   context.Context
	rnd   *rand.Rand
	fleet *fleet.Fleet // as declared
}

func (l *life) live() {
	l.note("%s: %s", l.profile.name, sketch(l.fleet))
	l.watch.expect(l.fleet)
	if o := l.once(l.ctx, l.fleet, false, nil); o.err != nil || o.rep.Result != state.PlanDone {
		l.refused("the first apply", o)
		return
	}
	l.rest(false)
	for n := 1; n <= 1+l.rnd.IntN(3) && len(l.watch.broken) == 0; n++ {
		g, said := changed(l.rnd, l.fleet, n)
		l.change(n, g, said)
	}
}

// refused takes note of what could not be done for a reason that is the person's own, such as replicas that have no place.
func (l *life) refused(what string, o outcome) {
	l.stats.Refused++
	l.note("%s: %v", what, o.err)
}

// change is one change of mind, from the first apply until all is at rest.
func (l *life) change(n int, g *fleet.Fleet, said string) {
	l.stats.Changes++
	l.note("change %d: %s: %s", n, said, sketch(g))
	l.watch.moves = l.watch.moves || leaves(said)
	l.watch.limits = l.watch.limits || strings.Contains(said, "limits")
	l.watch.expect(l.fleet)
	l.watch.expect(g)
	before := l.fleet
	l.fleet = g

	l.faulty, l.kills = true, l.profile.kills
	ctx, cancel := context.WithCancel(l.ctx)
	var misfortune sync.WaitGroup
	misfortune.Go(func() { l.misfortune(ctx, l.accidents(n)) })
	l.persist(n)
	cancel()
	misfortune.Wait()

	l.mu.Lock()
	l.faulty = false
	for _, h := range l.world.Hosts() {
		h.SetDown(false)
	}
	l.mu.Unlock()
	if !l.settle(n) {
		l.fleet = before // people take back what cannot be
		l.settle(n)
	}
}

// persist applies again and again, as people do, until it is done or they have had enough.
func (l *life) persist(n int) {
	for try := range 4 {
		pass(l.chance.between(time.Millisecond, 20*time.Second, fmt.Sprintf("try %d of change %d", try, n)))
		o := l.once(l.ctx, l.fleet, try > 0, nil)
		if o.dead {
			l.stats.Killed++
			continue
		}
		if o.err == nil && o.rep.Result == state.PlanDone {
			return
		}
	}
}

// settle applies while nothing goes wrong any more, until nothing is left to do. It is false where people have asked for what cannot be.
func (l *life) settle(n int) bool {
	var o outcome
	for range 6 {
		if o = l.once(l.ctx, l.fleet, false, nil); o.err != nil {
			l.refused("refused", o)
			return false
		}
		if o.last.Empty() && o.rep.Result == state.PlanDone {
			l.rest(true)
			return true
		}
		pass(time.Second)
	}
	l.watch.bad("no rest after change %d: the last plan has %d steps and ended as %s: %v", n, len(o.last.Steps), o.rep.Result, o.rep.Failures)
	return true
}

// rest checks what must hold when nothing is left to do.
func (l *life) rest(again bool) {
	l.mu.Lock()
	l.watch.rest(l.fleet)
	l.tally()
	l.mu.Unlock()
	if !again {
		return
	}
	var second *plan.Plan
	o := l.once(l.ctx, l.fleet, false, nil)
	if second = o.last; o.err != nil || !second.Empty() {
		l.watch.bad("a second apply is not empty: %v", o.err)
	}
	l.watch.bounds, l.watch.away, l.watch.taken = map[fleet.WorkloadName]*bounds{}, map[fleet.HostName]bool{}, map[fleet.ReplicaID]bool{}
}

func (l *life) tally() {
	for _, r := range l.watch.ledger.rollouts {
		switch r.Status {
		case state.RolloutDone:
			l.stats.Done++
		case state.RolloutTaken:
			l.stats.Taken++
		case state.RolloutHalted:
			l.stats.Halted++
		case state.RolloutPaused:
			l.stats.Paused++
		}
	}
}

// Add adds what another life was made of.
func (s *Stats) Add(o Stats) {
	s.Processes += o.Processes
	s.Killed += o.Killed
	s.Changes += o.Changes
	s.Refused += o.Refused
	s.Done += o.Done
	s.Taken += o.Taken
	s.Halted += o.Halted
	s.Paused += o.Paused
	s.Checks += o.Checks
}
