package reconcile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/state"
)

const (
	// lookFor is how long one host may take to be connected to and to answer. Connecting has deadlines of
	// its own at every stage; a host with thousands of containers answers within a few seconds.
	lookFor = 30 * time.Second

	// atOnce is how many hosts are spoken to at once, for the same reasons as in package apply.
	atOnce = 256
)

var errNoAddress = errors.New("it is neither declared nor recorded how to reach it")

// see returns what is known of the hosts of a fleet: those declared, and those that hold something of ours.
func (p *Pass) see(ctx context.Context, snap *state.Snapshot, f *fleet.Fleet, o Options) fleet.View {
	hosts, lost := hostsOf(snap, f)
	images := plan.ImageRefs(f, snap)
	assumed := map[fleet.HostName]fleet.Sighting{}
	if o.NoRefresh {
		hosts, assumed = assume(snap, hosts)
	}
	view, errs := p.Look(ctx, snap.Meta.ID, hosts, images)
	maps.Copy(view.Hosts, assumed)
	for _, h := range lost {
		errs[h] = errNoAddress
		view.Hosts[h] = fleet.Sighting{Why: errNoAddress.Error()}
	}
	if o.Looked != nil {
		o.Looked(view, errs)
	}
	return view
}

// hostsOf returns the hosts to look at, sorted, and those that nobody knows how to reach.
func hostsOf(snap *state.Snapshot, f *fleet.Fleet) (hosts []fleet.Host, lost []fleet.HostName) {
	all := map[fleet.HostName]fleet.Host{}
	for n, h := range snap.Hosts {
		all[n] = h.Host
	}
	for _, h := range f.Hosts {
		all[h.Name] = h // as declared now
	}
	unknown := map[fleet.HostName]bool{}
	note := func(n fleet.HostName) {
		if _, ok := all[n]; !ok && n != "" {
			unknown[n] = true
		}
	}
	for _, r := range snap.Replicas {
		note(r.Host)
	}
	for _, v := range snap.Volumes {
		note(v.Host)
	}
	for _, n := range snap.Networks {
		note(n.Host)
	}
	for _, i := range snap.Intents {
		note(i.Host)
	}
	for _, n := range slices.Sorted(maps.Keys(all)) {
		hosts = append(hosts, all[n])
	}
	return hosts, slices.Sorted(maps.Keys(unknown))
}

// Look asks each host, all at once, what is there of the fleet, and which of the images. A host that does not answer
// in time is in the view without an observation, and its error is returned beside it.
func (p *Pass) Look(ctx context.Context, id fleet.ID, hosts []fleet.Host, images []string) (fleet.View, map[fleet.HostName]error) {
	view := fleet.View{Time: p.Now().UTC(), Hosts: make(map[fleet.HostName]fleet.Sighting, len(hosts))}
	errs := map[fleet.HostName]error{}
	var mu sync.Mutex
	each(hosts, func(h fleet.Host) {
		o, err := p.lookAt(ctx, h, providers.Query{Fleet: id, Images: images})
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			errs[h.Name] = err
			view.Hosts[h.Name] = fleet.Sighting{Why: err.Error()}
			return
		}
		p.engines.note(h.Name, o.Engine.ID)
		view.Hosts[h.Name] = fleet.Sighting{Observation: o}
	})
	return view, errs
}

// lookAt asks one host.
func (p *Pass) lookAt(ctx context.Context, h fleet.Host, q providers.Query) (*fleet.Observation, error) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	e, err := p.Hosts.Engine(ctx, h)
	if err != nil {
		return nil, err
	}
	return e.Observe(ctx, q)
}

// each calls do for every host, at most atOnce at a time, and returns when all are done.
func each(hosts []fleet.Host, do func(fleet.Host)) {
	var wg sync.WaitGroup
	room := make(chan struct{}, atOnce)
	for _, h := range hosts {
		room <- struct{}{}
		wg.Go(func() {
			defer func() { <-room }()
			do(h)
		})
	}
	wg.Wait()
}

// reach connects to every host that a step goes to and returns those that do not answer.
func (p *Pass) reach(ctx context.Context, pl *plan.Plan) map[fleet.HostName]error {
	needed := map[fleet.HostName]bool{}
	for i := range pl.Steps {
		if s := &pl.Steps[i]; s.Kind != plan.KindRecord {
			needed[s.Host] = true
		}
	}
	var hosts []fleet.Host
	for _, h := range pl.Hosts {
		if needed[h.Name] {
			hosts = append(hosts, h)
		}
	}
	silent := map[fleet.HostName]error{}
	var mu sync.Mutex
	each(hosts, func(h fleet.Host) {
		ctx, cancel := context.WithTimeout(ctx, lookFor)
		defer cancel()
		if _, err := p.Hosts.Engine(ctx, h); err != nil {
			mu.Lock()
			defer mu.Unlock()
			silent[h.Name] = err
		}
	})
	return silent
}

// UnreachableError is hosts that did not answer before anything was changed.
type UnreachableError struct {
	Hosts map[fleet.HostName]error // nil where only the plan's own words are left
	Why   map[fleet.HostName]string
}

// Error names them.
func (e *UnreachableError) Error() string {
	var parts []string
	for _, h := range slices.Sorted(maps.Keys(e.Why)) {
		parts = append(parts, fmt.Sprintf("host %s: %s", h, e.Why[h]))
	}
	return strings.Join(parts, "; ")
}

// Is makes the error a providers.ErrUnreachable.
func (e *UnreachableError) Is(target error) bool { return target == providers.ErrUnreachable }

// refuseSilent is an error where a host does not answer and that is not allowed.
func refuseSilent(pl *plan.Plan, silent map[fleet.HostName]error, o ApplyOptions) error {
	if o.AllowUnreachable || len(silent)+len(pl.Skipped) == 0 {
		return nil
	}
	why := map[fleet.HostName]string{}
	for _, s := range pl.Skipped {
		why[s.Host] = s.Why
	}
	for h, err := range silent {
		why[h] = err.Error()
	}
	err := &UnreachableError{Hosts: silent, Why: why}
	names := slices.Sorted(maps.Keys(why))
	d := diag.Diagnostic{
		Code:     diag.CodeUnreachable,
		Summary:  "A host does not answer",
		Detail:   err.Error() + ".",
		Remedy:   "Bring it back, take it out of the configuration, or apply to the others with -allow-unreachable.",
		Affected: fmt.Sprintf("%s affected; nothing was changed.", first(names, 5)),
	}
	return &refused{diag.ListError{List: diag.List{d}}, err}
}

// first joins the first n names and says how many more there are.
func first[T ~string](names []T, n int) string {
	var b strings.Builder
	for i, s := range names[:min(n, len(names))] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(s))
	}
	if more := len(names) - n; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// engineIDs remembers which engine each host was seen to have.
type engineIDs struct {
	mu  sync.Mutex
	ids map[fleet.HostName]string
}

func (e *engineIDs) note(h fleet.HostName, id string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.ids == nil {
		e.ids = map[fleet.HostName]string{}
	}
	e.ids[h] = id
}

func (e *engineIDs) all() map[fleet.HostName]string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return maps.Clone(e.ids)
}
