package providers_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// link is an engine that only knows whether it is alive.
type link struct {
	providers.Engine
	dead, closed atomic.Bool
}

func (l *link) Alive() bool  { return !l.dead.Load() }
func (l *link) Close() error { l.closed.Store(true); return nil }

func TestPoolSharesOneConnectionPerHost(t *testing.T) {
	var dials atomic.Int32
	p := providers.NewPool(func(context.Context, fleet.Host) (providers.Engine, error) {
		dials.Add(1)
		return &link{}, nil
	})
	defer p.Close()
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			if _, err := p.Engine(t.Context(), fleet.Host{Name: []fleet.HostName{"a", "b"}[i%2]}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := dials.Load(); got != 2 {
		t.Errorf("connected %d times to two hosts", got)
	}
}

func TestPoolConnectsAnewWhenTheConnectionIsLost(t *testing.T) {
	var made []*link
	p := providers.NewPool(func(context.Context, fleet.Host) (providers.Engine, error) {
		made = append(made, &link{})
		return made[len(made)-1], nil
	})
	defer p.Close()
	first, err := p.Engine(t.Context(), fleet.Host{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	first.(*link).dead.Store(true)
	second, err := p.Engine(t.Context(), fleet.Host{Name: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if first == second || !made[0].closed.Load() {
		t.Errorf("a dead connection was kept, or not closed")
	}
}

func TestPoolForgetsFailures(t *testing.T) {
	refused := errors.New("refused")
	fail := true
	p := providers.NewPool(func(context.Context, fleet.Host) (providers.Engine, error) {
		if fail {
			return nil, refused
		}
		return &link{}, nil
	})
	defer p.Close()
	if _, err := p.Engine(t.Context(), fleet.Host{Name: "a"}); !errors.Is(err, refused) {
		t.Errorf("got %v, want %v", err, refused)
	}
	fail = false
	if _, err := p.Engine(t.Context(), fleet.Host{Name: "a"}); err != nil {
		t.Errorf("after a failure: %v", err)
	}
}

func TestPoolWaitsNoLongerThanItsContext(t *testing.T) {
	hold, entered := make(chan struct{}), make(chan struct{})
	p := providers.NewPool(func(context.Context, fleet.Host) (providers.Engine, error) {
		close(entered)
		<-hold
		return &link{}, nil
	})
	var wg sync.WaitGroup
	wg.Go(func() { p.Engine(t.Context(), fleet.Host{Name: "a"}) })
	<-entered
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Engine(ctx, fleet.Host{Name: "a"}); !errors.Is(err, providers.ErrUnreachable) {
		t.Errorf("got %v, want ErrUnreachable", err)
	}
	close(hold)
	wg.Wait()
	p.Close()
	if _, err := p.Engine(t.Context(), fleet.Host{Name: "a"}); !errors.Is(err, providers.ErrClosed) {
		t.Errorf("after Close: got %v, want ErrClosed", err)
	}
}
