package memory

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/stowage-run/stowage/state"
)

// history is how many events are kept for watchers. One that is further behind gets ErrCompacted.
const history = 10_000

// Store is a store in memory, as one process has it open. Others over the same memory are made with Share.
type Store struct {
	*faults
	core *core

	mu   sync.Mutex
	dead error // why nothing works any more; nil: it does
	gone chan struct{}
}

// core is the memory that several stores may share.
type core struct {
	mu      sync.Mutex
	serial  state.Serial
	epoch   state.Epoch
	records map[state.Key]state.Record
	events  []state.Event // in order
	floor   state.Serial  // events up to here are no longer kept
	changed chan struct{} // closed and replaced at each change
	lock    *lock         // nil: nobody's
	freed   chan struct{} // closed and replaced when the lock is given up
}

// New returns an empty store.
func New() *Store {
	return newStore(&core{
		records: map[state.Key]state.Record{},
		changed: make(chan struct{}),
		freed:   make(chan struct{}),
	})
}

func newStore(c *core) *Store { return &Store{faults: &faults{}, core: c, gone: make(chan struct{})} }

// Share returns another store over the same memory, as another process would open it.
func (s *Store) Share() *Store { return newStore(s.core) }

// Clone returns a store over a copy of the memory, not locked.
func (s *Store) Clone() *Store {
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	n := New()
	n.core.serial, n.core.epoch, n.core.floor = s.core.serial, s.core.epoch, s.core.floor
	n.core.records = maps.Clone(s.core.records)
	n.core.events = slices.Clone(s.core.events)
	return n
}

// Crash does to the store what kill -9 does to a process: its lock is freed, no call of it does
// anything any more. The returned store has exactly what was committed.
func (s *Store) Crash() *Store {
	s.end(errCrashed)
	return s.Share()
}

// Close frees the lock if it was taken through this store. Every later call is refused with fs.ErrClosed.
func (s *Store) Close() error {
	s.end(fs.ErrClosed)
	return nil
}

var errCrashed = fmt.Errorf("the process has crashed")

// end makes the store useless.
func (s *Store) end(why error) {
	s.mu.Lock()
	if s.dead == nil {
		s.dead = why
		close(s.gone)
	}
	s.mu.Unlock()

	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	if l := s.core.lock; l != nil && l.store == s {
		s.core.free()
	}
}

// check returns why the store cannot be used.
func (s *Store) check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead != nil {
		return fmt.Errorf("state in memory: %w", s.dead)
	}
	return nil
}

// Read implements state.Store.
func (s *Store) Read(ctx context.Context, prefixes ...state.Key) (state.View, error) {
	if err := s.check(ctx); err != nil {
		return state.View{}, err
	}
	s.core.mu.Lock()
	defer s.core.mu.Unlock()
	v := state.View{Serial: s.core.serial, Epoch: s.core.epoch}
	for k, r := range s.core.records {
		if matches(k, prefixes) {
			r.Value = bytes.Clone(r.Value)
			v.Records = append(v.Records, r)
		}
	}
	slices.SortFunc(v.Records, func(a, b state.Record) int { return strings.Compare(string(a.Key), string(b.Key)) })
	return v, nil
}

func matches(k state.Key, prefixes []state.Key) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(string(k), string(p)) {
			return true
		}
	}
	return len(prefixes) == 0
}

// Commit implements state.Store.
func (s *Store) Commit(ctx context.Context, t state.Txn) (state.Serial, error) {
	if err := s.check(ctx); err != nil {
		return 0, err
	}
	if err := t.Check(); err != nil {
		return 0, err
	}
	if err := s.before(t); err != nil {
		return 0, err
	}
	if err := s.check(ctx); err != nil { // crashed in the hook
		return 0, err
	}
	serial, err := s.core.commit(t)
	if err != nil {
		return 0, err
	}
	return serial, s.after(t)
}

// commit carries a transaction out.
func (c *core) commit(t state.Txn) (state.Serial, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t.Epoch != 0 && t.Epoch != c.epoch {
		return 0, fmt.Errorf("epoch %d, now %d: %w", t.Epoch, c.epoch, state.ErrFenced)
	}
	for _, i := range t.If {
		if got := c.records[i.Key].Serial; got != i.Serial {
			return 0, fmt.Errorf("%s at serial %d, expected %d: %w", i.Key, got, i.Serial, state.ErrConflict)
		}
	}
	next := c.serial + 1
	var events []state.Event
	for _, p := range t.Put {
		if old, ok := c.records[p.Key]; ok && bytes.Equal(old.Value, p.Value) {
			continue
		}
		value := append([]byte{}, p.Value...)
		c.records[p.Key] = state.Record{Key: p.Key, Serial: next, Value: value}
		events = append(events, state.Event{Serial: next, Key: p.Key, Value: value})
	}
	for _, k := range t.Delete {
		if _, ok := c.records[k]; ok {
			delete(c.records, k)
			events = append(events, state.Event{Serial: next, Key: k})
		}
	}
	if len(events) == 0 {
		return c.serial, nil
	}
	slices.SortFunc(events, func(a, b state.Event) int { return strings.Compare(string(a.Key), string(b.Key)) })
	c.serial = next
	c.events = append(c.events, events...)
	if n := len(c.events) - history; n > 0 {
		c.compact(c.events[n-1].Serial)
	}
	close(c.changed)
	c.changed = make(chan struct{})
	return c.serial, nil
}

// compact forgets the events up to a serial.
func (c *core) compact(to state.Serial) {
	c.floor = to
	i, _ := slices.BinarySearchFunc(c.events, to+1, func(e state.Event, s state.Serial) int { return int(e.Serial) - int(s) })
	c.events = slices.Clone(c.events[i:])
}
