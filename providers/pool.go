package providers

import (
	"context"
	"errors"
	"sync"

	"github.com/stowage-run/stowage/fleet"
)

// Pool is a Connector that keeps one connection a host. Calls for one host that come while it is being connected wait
// for that one attempt and share its failure; later calls try again. An engine that says that it is no longer alive
// (see Living) is closed and connected anew.
type Pool struct {
	connect func(context.Context, fleet.Host) (Engine, error)

	mu     sync.Mutex // guards what follows
	hosts  map[fleet.HostName]*pooled
	closed bool
}

// pooled is one host's place in the pool.
type pooled struct {
	turn   chan struct{} // holds one element: whoever has it may connect
	engine Engine        // guarded by turn
	failed *failure      // the last failed attempt; guarded by Pool.mu
}

// notConnected is ErrUnreachable with the words of who tried to connect: whatever stood in the way, nothing was sent.
type notConnected struct{ error }

func (e notConnected) Is(target error) bool { return target == ErrUnreachable }
func (e notConnected) Unwrap() error        { return e.error }

// unreached gives an error of connecting its class, unless an engine that was reached has given it one.
func unreached(err error) error {
	var e *Error
	if errors.As(err, &e) && e.Class != nil {
		return err
	}
	return notConnected{err}
}

// failure is one attempt that failed. Those who waited for it share it: to a host that does not answer, each attempt of
// their own would take as long again, one after another.
type failure struct{ err error }

// Living is what an engine may implement to say whether its connection still stands.
type Living interface{ Alive() bool }

// ErrClosed is returned by a Pool that was closed.
var ErrClosed = errors.New("the connections were closed")

// NewPool returns an empty pool. connect is called at most once at a time for a host.
func NewPool(connect func(context.Context, fleet.Host) (Engine, error)) *Pool {
	return &Pool{connect: connect, hosts: map[fleet.HostName]*pooled{}}
}

// Engine returns the engine of a host.
func (p *Pool) Engine(ctx context.Context, h fleet.Host) (Engine, error) {
	place, old, err := p.place(h.Name)
	if err != nil {
		return nil, err
	}
	select {
	case <-place.turn:
	case <-ctx.Done():
		return nil, &Error{Op: "connect", Object: string(h.Name), Class: ErrUnreachable, Err: ctx.Err()}
	}
	defer func() { place.turn <- struct{}{} }()
	if place.engine != nil {
		if l, ok := place.engine.(Living); !ok || l.Alive() {
			return place.engine, nil
		}
		place.engine.Close()
		place.engine = nil
	}
	if f := p.lastFailure(place); f != old {
		return nil, f.err // it came about while this call waited
	}
	return p.fill(ctx, h, place)
}

// fill connects a place. The caller has its turn.
func (p *Pool) fill(ctx context.Context, h fleet.Host, place *pooled) (Engine, error) {
	e, err := p.connect(ctx, h)
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case err != nil:
		err = unreached(err)
		if ctx.Err() == nil { // else it is the caller's end, which says nothing of the host
			place.failed = &failure{err}
		}
		return nil, err
	case p.closed:
		return nil, errors.Join(ErrClosed, e.Close())
	}
	place.engine = e
	return e, nil
}

func (p *Pool) lastFailure(place *pooled) *failure {
	p.mu.Lock()
	defer p.mu.Unlock()
	return place.failed
}

// place returns a host's place, and the last failure there so far.
func (p *Pool) place(n fleet.HostName) (*pooled, *failure, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, ErrClosed
	}
	place, ok := p.hosts[n]
	if !ok {
		place = &pooled{turn: make(chan struct{}, 1)}
		place.turn <- struct{}{}
		p.hosts[n] = place
	}
	return place, place.failed, nil
}

// Close gives every connection back and waits for attempts under way. It may be called twice.
func (p *Pool) Close() error {
	p.mu.Lock()
	hosts := p.hosts
	p.hosts, p.closed = nil, true
	p.mu.Unlock()
	var errs []error
	for _, place := range hosts {
		<-place.turn
		if place.engine != nil {
			errs = append(errs, place.engine.Close())
			place.engine = nil // for who still waits for a turn
		}
		place.turn <- struct{}{}
	}
	return errors.Join(errs...)
}
