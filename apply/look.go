package apply

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers"
)

// lookFor is how long a host that has gone silent is tried again. A dead connection is found within 15 s by
// its keepalives; an engine that restarts is back within a few.
const lookFor = 15 * time.Second

// patience is how long something is tried again: with growing pauses, for at most lookFor from the first wait.
type patience struct {
	b      *backoff.ExponentialBackOff
	chance func() float64
	until  time.Time
}

func (r *run) newPatience() *patience {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval, b.RandomizationFactor = 100*time.Millisecond, 3*time.Second, 0 // the chance is the job's
	p := &patience{b: b, chance: r.job.Chance}
	if p.chance == nil {
		p.chance = rand.Float64
	}
	return p
}

// wait pauses before the next try. It is false where patience or ctx has come to its end.
func (p *patience) wait(ctx context.Context) bool {
	if p.until.IsZero() {
		p.until = time.Now().Add(lookFor)
	}
	d := time.Duration(float64(p.b.NextBackOff()) * (0.5 + p.chance()))
	if time.Now().Add(d).After(p.until) {
		return false
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// sighting is what looking after a call has shown.
type sighting struct {
	done bool
	id   string // of the container
}

var errRemoving = errors.New("it is still being removed")

// look finds out whether a step took effect. An error says that nobody can tell.
func (r *run) look(ctx context.Context, s *plan.Step, id string) (sighting, error) {
	ctx, cancel := context.WithTimeout(ctx, lookFor)
	defer cancel()
	for p := r.newPatience(); ; {
		e, err := r.engine(ctx, s.Host)
		if err == nil {
			var seen sighting
			if seen, err = r.seen(ctx, e, s, id); err == nil {
				return seen, nil
			}
		}
		if !p.wait(ctx) {
			return sighting{}, fmt.Errorf("look at %s: %w", object(s), err)
		}
	}
}

// seen looks once.
func (r *run) seen(ctx context.Context, e providers.Engine, s *plan.Step, id string) (sighting, error) {
	switch s.Kind {
	case plan.KindRun:
		return seenRun(ctx, e, s)
	case plan.KindWriteFiles, plan.KindSignal:
		return sighting{}, nil // leaves no trace that could be seen from here; doing it again does no harm
	case plan.KindPull, plan.KindSend:
		there, err := r.hasImage(ctx, e, s.Image)
		return sighting{done: there}, err
	case plan.KindCreateNetwork, plan.KindRemoveNetwork, plan.KindCreateVolume, plan.KindRemoveVolume:
		return r.seenObject(ctx, e, s)
	}
	c, err := e.Inspect(ctx, s.Container.ID)
	gone := errors.Is(err, providers.ErrNotFound)
	if err != nil && !gone {
		return sighting{}, err
	}
	if s.Kind == plan.KindRemove && c.Phase == fleet.PhaseRemoving {
		return sighting{}, errRemoving
	}
	return sighting{done: is(s, c, gone), id: s.Container.ID}, nil
}

// is reports whether a container is as the step wants it.
func is(s *plan.Step, c fleet.Container, gone bool) bool {
	switch s.Kind {
	case plan.KindRemove:
		return gone
	case plan.KindStop:
		return gone || c.Phase == fleet.PhaseExited || c.Phase == fleet.PhaseCreated || c.Phase == fleet.PhaseDead
	}
	if gone {
		return false
	}
	switch s.Kind {
	case plan.KindStart:
		return c.Phase == fleet.PhaseRunning
	case plan.KindUnpause:
		return c.Phase != fleet.PhasePaused
	case plan.KindRename:
		return c.Name == s.Container.Name
	case plan.KindConnect:
		return slices.Contains(c.Networks, s.Network.Engine)
	case plan.KindDisconnect:
		return !slices.Contains(c.Networks, s.Network.Engine)
	case plan.KindUpdate:
		return c.Limits == *s.Limits && c.Restart == s.Restart
	}
	return false
}

// seenRun looks for the container that a Run makes. One that was made but does not run is not done: the Run
// is repeated, finds it by its name and starts it.
func seenRun(ctx context.Context, e providers.Engine, s *plan.Step) (sighting, error) {
	c, err := e.FindName(ctx, s.Instance.ContainerName())
	if errors.Is(err, providers.ErrNotFound) {
		return sighting{}, nil
	}
	if err != nil {
		return sighting{}, err
	}
	i, want := c.Identity, s.Instance
	if i.Fleet != want.Fleet || i.Replica != want.Replica || i.Generation != want.Generation || i.Revision != want.Revision {
		return sighting{}, nil // a stranger's: repeating the Run says so
	}
	// What is to end may have done so, and is not started a second time.
	return sighting{done: c.Phase == fleet.PhaseRunning || s.Ends && c.Phase != fleet.PhaseCreated, id: c.ID}, nil
}

// seenObject looks for a network or volume.
func (r *run) seenObject(ctx context.Context, e providers.Engine, s *plan.Step) (sighting, error) {
	o, err := e.Observe(ctx, providers.Query{Fleet: r.job.Plan.Fleet})
	if err != nil {
		return sighting{}, err
	}
	ours := r.job.Plan.Fleet
	var there bool
	if s.Network != nil {
		there = slices.ContainsFunc(o.Networks, func(n fleet.ObservedNetwork) bool {
			return n.Name == s.Network.Engine && n.Fleet == ours
		})
	} else {
		there = slices.ContainsFunc(o.Volumes, func(v fleet.ObservedVolume) bool {
			return v.Name == s.Volume.Engine && v.Fleet == ours
		})
	}
	wanted := s.Kind == plan.KindCreateNetwork || s.Kind == plan.KindCreateVolume
	return sighting{done: there == wanted}, nil
}
