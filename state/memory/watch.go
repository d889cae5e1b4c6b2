package memory

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/stowage-run/stowage/state"
)

// Watch implements state.Store.
func (s *Store) Watch(ctx context.Context, after state.Serial) iter.Seq2[state.Event, error] {
	return func(yield func(state.Event, error) bool) {
		for {
			if ctx.Err() != nil {
				return
			}
			if err := s.check(ctx); err != nil {
				yield(state.Event{}, err)
				return
			}
			events, changed, err := s.core.since(after)
			if err != nil {
				yield(state.Event{}, err)
				return
			}
			for _, e := range events {
				if ctx.Err() != nil || !yield(e, nil) {
					return
				}
				after = e.Serial
			}
			select {
			case <-ctx.Done():
			case <-changed:
			case <-s.gone:
			}
		}
	}
}

// since returns the events after a serial, and a channel that is closed when there are more.
func (c *core) since(after state.Serial) ([]state.Event, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if after < c.floor || after > c.serial {
		return nil, nil, fmt.Errorf("changes after serial %d, known are those from %d to %d: %w", after, c.floor, c.serial, state.ErrCompacted)
	}
	var events []state.Event
	for _, e := range c.events {
		if e.Serial > after {
			e.Value = bytes.Clone(e.Value)
			events = append(events, e)
		}
	}
	return events, c.changed, nil
}

// Compact forgets the changes up to now, so that a watcher that is behind gets ErrCompacted.
func (s *Store) Compact() {
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	s.core.compact(s.core.serial)
}
