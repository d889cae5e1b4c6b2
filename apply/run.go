package apply

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/state"
)

const (
	// DefaultPerHost is how many calls are made at once on one host. Docker's engine creates and starts the
	// most containers a second at 8; beyond that it only queues.
	DefaultPerHost = 8

	// maxHosts is how many hosts are worked on at once. There has to be a bound, for each costs a
	// connection, its buffers and one or two dozen goroutines, and file descriptors are 1,024 by default.
	// 256 hosts of 8 calls are 2,048 calls under way, more than any controller's machine is kept busy by.
	maxHosts = 256

	// stillEvery is how often a step that lasts is mentioned.
	stillEvery = 10 * time.Second
)

// Job is one plan to carry out, and all that it takes.
type Job struct {
	Plan     *plan.Plan
	Vault    fleet.Vault // holds every fingerprint of Plan.Sealed
	Store    state.Store
	Lock     state.Lock // held by the caller before, during and after
	Hosts    providers.Connector
	Registry providers.Registry                              // for credentials; nil: pulls are anonymous
	Local    func(context.Context) (providers.Engine, error) // this machine's engine, to send images from; nil: none
	Now      func() time.Time                                // for what is written down
	NewID    func() string                                   // UUIDs
	Chance   func() float64                                  // from 0 to 1, for the pauses between tries; nil: math/rand
	Observe  func(Event)                                     // called by one goroutine at a time; it must not block for long; nil: nobody
	Stop     <-chan struct{}                                 // closed: start no more steps; those under way are finished and recorded
	Engines  map[fleet.HostName]string                       // engines' own ids, as far as they are known
	PerHost  int                                             // calls at once on one host; 0: DefaultPerHost
	Who      string                                          // user@host, for the record
	Trigger  string                                          // "apply", "destroy", ..., for the record
	Commit   string                                          // of the configuration's repository, for the record

	// Unreachable names the hosts that do not answer, and why: nothing is tried on them.
	Unreachable map[fleet.HostName]error

	// AllowUnreachable says that hosts may be left out: what is owed to them is recorded as debt.
	AllowUnreachable bool
}

// run is one Job under way.
type run struct {
	job   Job
	write *state.Writer
	snap  *state.Snapshot // before the first step
	hosts map[fleet.HostName]fleet.Host
	slots map[fleet.HostName]chan struct{} // one element for each call under way

	// heirs are the steps that remove what a Run takes the place of, by the Run. Their intents are written
	// with the Run's result, since from then on no record names the container that they remove.
	heirs map[int][]int
	ops   []fleet.OpID // by step: of its intent

	emitting chan struct{} // held by who tells the observer; no mutex, so that synctest sees who waits for it

	mu       sync.Mutex
	lost     map[fleet.HostName]error          // hosts that no longer answer
	made     map[int]string                    // by step: the container that a Run has made
	plain    map[int]bool                      // by step: it was seen to run, and its image has no check
	found    map[fleet.ReplicaID]state.Replica // what steps have found in slots, and recorded
	rollouts map[fleet.WorkloadName]*rollout
}

// outcome is how one step ended.
type outcome struct {
	step int
	kind EventKind // EventDone, EventFailed or EventUnknown
	err  error
	id   string // of the container
	open bool   // the intent stays

	discarded bool // the container was made, does not run, and is gone again
}

// Run carries out the plan. An error means that nothing was changed on any host, or that what came of the plan
// could not be recorded; with a report beside it, the report says what was done all the same. What
// failed on hosts is in the report and is no error.
//
// When ctx ends, Run leaves at once: intents of calls under way stay, for the next plan to look after.
func Run(ctx context.Context, job Job) (*Report, error) {
	r := &run{
		job:   job,
		write: state.NewWriter(job.Store, job.Lock.Epoch()),
		hosts: map[fleet.HostName]fleet.Host{},
		slots: map[fleet.HostName]chan struct{}{},
		lost:  map[fleet.HostName]error{},

		emitting: make(chan struct{}, 1),

		made: map[int]string{}, plain: map[int]bool{}, found: map[fleet.ReplicaID]state.Replica{}, rollouts: map[fleet.WorkloadName]*rollout{},
	}
	maps.Copy(r.lost, job.Unreachable)
	r.heirs, r.ops = heirs(job.Plan.Steps), make([]fleet.OpID, len(job.Plan.Steps))
	if r.job.PerHost <= 0 {
		r.job.PerHost = DefaultPerHost
	}
	for _, h := range job.Plan.Hosts {
		r.hosts[h.Name] = h
		r.slots[h.Name] = make(chan struct{}, r.job.PerHost)
	}
	start := time.Now()
	record, err := r.begin(ctx)
	if err != nil {
		return nil, err
	}
	rep := r.steps(ctx)
	rep.Release = job.Plan.Release
	rep.Result = r.result(ctx, rep)
	err = r.end(ctx, rep, record)
	rep.Duration = time.Since(start)
	return rep, err
}

// heirs finds the removals of what each Run takes the place of: a move runs the new container before it removes the old one.
func heirs(steps []plan.Step) map[int][]int {
	out := map[int][]int{}
	for _, s := range steps {
		if s.Kind != plan.KindRemove {
			continue
		}
		for _, n := range s.Needs {
			if steps[n].Kind == plan.KindRun && steps[n].Addr == s.Addr {
				out[n] = append(out[n], s.ID)
			}
		}
	}
	return out
}

// steps runs the graph to its end.
func (r *run) steps(ctx context.Context) *Report {
	// Intents are written ahead of the calls, so that a slot never waits for the disk: as many steps
	// again as there are slots may have reached that point.
	g := newGraph(r.job.Plan.Steps, 2*r.job.PerHost, maxHosts)
	l := &loop{run: r, graph: g, report: &Report{}, started: map[int]*clock{}, results: make(chan outcome), ended: make(chan ended), work: make(chan int)}
	defer l.workers.Wait()
	defer close(l.work)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for _, h := range slices.Sorted(maps.Keys(r.job.Unreachable)) {
		l.skip(g.dropHost(h), BecauseHostLost)
	}
	stop, lost, cancelled := r.job.Stop, r.job.Lock.Lost(), ctx.Done()
	for {
		for i, ok := g.next(); ok; i, ok = g.next() {
			l.start(ctx, i)
		}
		if len(l.started) == 0 {
			break
		}
		select {
		case o := <-l.results:
			l.finish(o)
		case e := <-l.ended:
			e.next <- l.follow(e.step)
		case <-tick.C:
			l.still()
		case <-stop:
			l.skip(g.dropAll(), BecauseInterrupted)
			stop = nil
		case <-lost:
			l.skip(g.dropAll(), BecauseLockLost)
			lost = nil
		case <-cancelled:
			l.skip(g.dropAll(), BecauseInterrupted)
			cancelled = nil
		}
	}
	l.report.Done = doneCounts(r.job.Plan, g.status)
	l.report.sort()
	return l.report
}

// loop is what the one goroutine that runs the graph knows.
type loop struct {
	*run
	graph   *graph
	report  *Report
	started map[int]*clock // steps under way
	results chan outcome
	ended   chan ended

	work    chan int // closed at the end
	workers sync.WaitGroup
}

// clock is since when a step has been under way, and how long it will have been when that is mentioned next.
type clock struct {
	since time.Time
	next  time.Duration
}

// ended is a step whose call succeeded and whose result is about to be recorded.
type ended struct {
	step int
	next chan int // gets the step that its worker is to do next; none: -1
}

// start hands a step to a worker that is idle, or to a new one. Workers stay until the end: a goroutine
// that has made one call has the stack for the next.
func (l *loop) start(ctx context.Context, i int) {
	l.note(i)
	select {
	case l.work <- i:
	default:
		l.workers.Go(func() {
			for ok := true; ok; i, ok = <-l.work {
				l.chain(ctx, i)
			}
		})
	}
}

// chain does a step, and those that follow it.
//
// The intent of the next one is written with the result of the one before, as one transaction: each costs two waits
// for the disk and half a millisecond of work, and an apply of many containers is mostly such pairs.
func (l *loop) chain(ctx context.Context, i int) {
	follow := func(i int) int {
		next := make(chan int)
		l.ended <- ended{i, next}
		return <-next
	}
	for i >= 0 {
		o, next := l.step(ctx, i, follow)
		l.results <- o
		i = next
	}
}

// follow starts the step that takes the place of one whose call has ended; -1: none.
func (l *loop) follow(i int) int {
	l.graph.release(i)
	next, ok := l.graph.next()
	if !ok {
		return -1
	}
	l.note(next)
	return next
}

// note takes down that a step starts.
func (l *loop) note(i int) {
	l.started[i] = &clock{time.Now(), stillEvery}
	l.emit(EventStarted, i, nil)
}

// finish takes note of a step's outcome.
func (l *loop) finish(o outcome) {
	took := time.Since(l.started[o.step].since)
	delete(l.started, o.step)
	l.emit(o.kind, o.step, func(e *Event) { e.Elapsed, e.Err, e.ID = took, o.err, o.id })
	step := l.job.Plan.Steps[o.step]
	skipped := l.graph.finish(o.step, o.kind == EventDone)
	switch o.kind {
	case EventDone:
		l.report.Steps++
	case EventUnknown:
		l.report.Unknown = append(l.report.Unknown, Failure{step, o.err})
	default:
		l.report.Failures = append(l.report.Failures, Failure{step, o.err})
	}
	l.skip(skipped, BecauseNeeds)
	if l.write.Err() != nil {
		// What cannot be recorded must not be done.
		l.skip(l.graph.dropAll(), BecauseState)
		return
	}
	if h := laneOf(&step); h != "" && l.isLost(h) != nil {
		l.skip(l.graph.dropHost(h), BecauseHostLost)
	}
}

func (l *loop) skip(steps []int, why Because) {
	for _, i := range steps {
		l.report.Skipped = append(l.report.Skipped, Skip{l.job.Plan.Steps[i], why})
		l.emit(EventSkipped, i, func(e *Event) { e.Because = why })
	}
}

// still mentions the steps that have lasted for another stillEvery.
func (l *loop) still() {
	for _, i := range slices.Sorted(maps.Keys(l.started)) {
		c := l.started[i]
		if time.Since(c.since) >= c.next {
			l.emit(EventStill, i, func(e *Event) { e.Elapsed = c.next })
			c.next += stillEvery
		}
	}
}

// doneCounts sums up the objects whose every step is done.
func doneCounts(p *plan.Plan, s []status) plan.Counts {
	var whole plan.Plan
	for _, c := range p.Changes {
		ok := true
		for _, i := range c.Steps {
			ok = ok && s[i] == done
		}
		if ok {
			whole.Changes = append(whole.Changes, c)
		}
	}
	return whole.Counts()
}

// lose notes that a host no longer answers.
func (r *run) lose(h fleet.HostName, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lost[h] == nil {
		r.lost[h] = err
	}
}

func (r *run) isLost(h fleet.HostName) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost[h]
}

// engine connects to a step's host.
func (r *run) engine(ctx context.Context, h fleet.HostName) (providers.Engine, error) {
	host, ok := r.hosts[h]
	if !ok {
		return nil, fmt.Errorf("the plan has a step for host %s and does not say how to reach it", h)
	}
	return r.job.Hosts.Engine(ctx, host)
}
