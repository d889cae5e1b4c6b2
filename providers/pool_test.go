package providers_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

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
	_, err := p.Engine(t.Context(), fleet.Host{Name: "a"})
	if !errors.Is(err, refused) || !errors.Is(err, providers.ErrUnreachable) || err.Error() != refused.Error() {
		t.Errorf("got %v, want %v as ErrUnreachable: nothing was sent", err, refused)
	}
	fail = false
	if _, err := p.Engine(t.Context(), fleet.Host{Name: "a"}); err != nil {
		t.Errorf("after a failure: %v", err)
	}
}

func TestPoolSharesOneFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		dials := 0
		p := providers.NewPool(func(context.Context, fleet.Host) (providers.Engine, error) {
			dials++
			<-time.After(10 * time.Second) // in the bubble's time
			return nil, refused
		})
		defer p.Close()
		begin := time.Now()
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := p.Engine(t.Context(), fleet.Host{Name: "a"}); !errors.Is(err, refused) {
					t.Errorf("got %v, want %v", err, refused)
				}
			})
		}
		wg.Wait()
		if took := time.Since(begin); dials != 1 || took != 10*time.Second {
			t.Errorf("%d attempts in %s, want 1 in 10s", dials, took)
		}
		if _, err := p.Engine(t.Context(), fleet.Host{Name: "a"}); !errors.Is(err, refused) || dials != 2 {
			t.Errorf("afterwards: %v after %d attempts, want a second one", err, dials)
		}
	})
}

// Who gives up takes nobody along.
func TestPoolDoesNotShareACancellation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := providers.NewPool(func(ctx context.Context, _ fleet.Host) (providers.Engine, error) {
			select {
			case <-ctx.Done():
				return nil, ctx.Err()
			case <-time.After(10 * time.Second):
				return &link{}, nil
			}
		})
		defer p.Close()
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wg sync.WaitGroup
		wg.Go(func() { p.Engine(impatient, fleet.Host{Name: "a"}) })
		synctest.Wait()
		if _, err := p.Engine(t.Context(), fleet.Host{Name: "a"}); err != nil {
			t.Error(err)
		}
		wg.Wait()
	})
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

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
