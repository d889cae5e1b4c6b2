package memory

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/stowage-run/stowage/state"
)

// lock is a lock that is or was held.
type lock struct {
	store  *Store
	holder state.Holder
	epoch  state.Epoch
	lost   chan struct{}
	once   sync.Once
}

// Lock implements state.Store.
func (s *Store) Lock(ctx context.Context, h state.Holder, wait time.Duration) (state.Lock, error) {
	timer := time.NewTimer(max(wait, 0))
	defer timer.Stop()
	for {
		if err := s.check(ctx); err != nil {
			return nil, err
		}
		l, other, freed := s.core.take(s, h)
		if l != nil {
			return l, nil
		}
		if wait <= 0 {
			return nil, &state.LockedError{Holder: other}
		}
		select {
		case <-freed:
		case <-s.gone:
		case <-ctx.Done():
		case <-timer.C:
			return nil, &state.LockedError{Holder: other}
		}
	}
}

// take takes the lock, or says who has it and when to try again.
func (c *core) take(s *Store, h state.Holder) (l *lock, other state.Holder, freed <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lock != nil {
		return nil, c.lock.holder, c.freed
	}
	c.epoch++
	c.lock = &lock{store: s, holder: h, epoch: c.epoch, lost: make(chan struct{})}
	return c.lock, h, nil
}

// free makes the lock nobody's. The caller holds mu.
func (c *core) free() {
	c.lock = nil
	close(c.freed)
	c.freed = make(chan struct{})
}

// Holder implements state.Store.
func (s *Store) Holder(ctx context.Context) (*state.Holder, error) {
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	if s.core.lock == nil {
		return nil, nil
	}
	h := s.core.lock.holder
	return &h, nil
}

// BreakLock implements state.Store.
func (s *Store) BreakLock(ctx context.Context, id string) error {
	if err := s.check(ctx); err != nil {
		return err
	}
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	l := s.core.lock
	if l == nil || l.holder.ID != id {
		return fmt.Errorf("break the lock %s: %w", id, state.ErrNotLocked)
	}
	s.core.epoch++
	s.core.free()
	l.lose()
	return nil
}

// Epoch implements state.Lock.
func (l *lock) Epoch() state.Epoch { return l.epoch }

// Lost implements state.Lock.
func (l *lock) Lost() <-chan struct{} { return l.lost }

func (l *lock) lose() { l.once.Do(func() { close(l.lost) }) }

// Unlock implements state.Lock.
func (l *lock) Unlock() error {
	c := l.store.core
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lock == l {
		c.free()
	}
	return nil
}
