package reconcile

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/state"
)

const (
	askFor   = 15 * time.Second // one registry, for one reference
	askRoom  = 16               // references at once
	localFor = 10 * time.Second // this machine's engine
)

// pin returns the fleet with each image pinned. Where nothing is going to be made, nobody is asked and
// nothing needs a pin: a destroy must work while a registry does not.
func (p *Pass) pin(ctx context.Context, f *fleet.Fleet, snap *state.Snapshot, view fleet.View, mode plan.Mode) (*fleet.Fleet, plan.Answers, []plan.ImageNote, error) {
	if mode == plan.Destroy || mode == plan.RefreshOnly {
		return f, plan.Answers{}, nil, nil
	}
	a := p.ask(ctx, plan.Questions(f, snap, view))
	pinned, notes, diags := plan.Pin(f, snap, view, a)
	return pinned, a, notes, diags.Err()
}

// ask puts the questions to registries and to this machine's engine, all at once.
func (p *Pass) ask(ctx context.Context, qs []plan.ImageQuestion) plan.Answers {
	a := plan.Answers{Registry: map[string]plan.RegistryAnswer{}, Local: map[string]fleet.ObservedImage{}}
	var local []string
	var mu sync.Mutex
	var wg sync.WaitGroup
	room := make(chan struct{}, askRoom)
	for _, q := range qs {
		if q.Local {
			local = append(local, q.Ref)
		}
		if !q.Registry {
			continue
		}
		wg.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			answer := p.askRegistry(ctx, q.Ref)
			mu.Lock()
			defer mu.Unlock()
			a.Registry[q.Ref] = answer
		})
	}
	if len(local) > 0 {
		images := p.askLocal(ctx, local)
		mu.Lock()
		for _, i := range images {
			a.Local[i.Ref] = i
		}
		mu.Unlock()
	}
	wg.Wait()
	return a
}

func (p *Pass) askRegistry(ctx context.Context, ref string) plan.RegistryAnswer {
	if p.Registry == nil {
		return plan.RegistryAnswer{Why: "no registry may be asked"}
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	d, err := p.Registry.Digest(ctx, ref)
	if err != nil {
		return plan.RegistryAnswer{Missing: errors.Is(err, providers.ErrImageNotFound), Why: err.Error()}
	}
	return plan.RegistryAnswer{Digest: d}
}

// askLocal returns which of the images this machine's engine has. A machine without an engine has none.
func (p *Pass) askLocal(ctx context.Context, refs []string) []fleet.ObservedImage {
	if p.Local == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, localFor)
	defer cancel()
	e, err := p.Local(ctx)
	if err != nil {
		return nil
	}
	o, err := e.Observe(ctx, providers.Query{Images: refs})
	if err != nil {
		return nil
	}
	return o.Images
}
