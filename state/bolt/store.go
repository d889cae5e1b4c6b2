package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

// The names in a fleet's directory.
const (
	fileName   = "state.db"
	copyName   = "state.db.1"
	lockName   = "lock"
	holderName = "lock.json"
)

const (
	// defaultBusy is how long another process may keep the file: a transaction takes milliseconds, and
	// a full check of a large file on a slow disk seconds.
	defaultBusy = 10 * time.Second
	// defaultPoll is how often a watch and the holder of a lock look. Each look is one small read.
	defaultPoll = 200 * time.Millisecond
	// defaultGone is how many deletions are remembered for watches.
	defaultGone = 10_000
)

// Store is the state of one fleet. It is safe for concurrent use, by other processes too.
type Store struct {
	dir string // of the fleet

	busy    time.Duration // how long to wait for another process's transaction
	poll    time.Duration
	maxGone uint64

	rw sync.RWMutex // orders this process's transactions, which flock would make wait in steps

	mu     sync.Mutex
	sound  metas // of the file as it was last verified or written by us
	locks  map[*lock]bool
	closed chan struct{}
}

// Open returns the store of a fleet below a state directory, such as ".stowage". Nothing is read or
// made: the directory and the file come with the first write.
func Open(path string, name fleet.Name) (*Store, error) {
	if path == "" || !fleet.ValidName(string(name)) {
		return nil, fmt.Errorf("open the state of fleet %q in %q: not a fleet's name or no directory", name, path)
	}
	return &Store{
		dir:     filepath.Join(path, string(name)),
		busy:    defaultBusy,
		poll:    defaultPoll,
		maxGone: defaultGone,
		locks:   map[*lock]bool{},
		closed:  make(chan struct{}),
	}, nil
}

// Path returns where the file is, or would be.
func (s *Store) Path() string { return s.file(fileName) }

func (s *Store) file(name string) string { return filepath.Join(s.dir, name) }

// Fleets lists the fleets that have state below a state directory, sorted; none where the directory does not exist.
func Fleets(path string) ([]fleet.Name, error) {
	entries, err := os.ReadDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the fleets: %w", err)
	}
	var names []fleet.Name
	for _, e := range entries {
		if _, err := os.Stat(filepath.Join(path, e.Name(), fileName)); err == nil && fleet.ValidName(e.Name()) {
			names = append(names, fleet.Name(e.Name()))
		}
	}
	return names, nil
}

// Close gives up the locks. Every later call is refused with fs.ErrClosed, and watches end with it.
func (s *Store) Close() error {
	s.mu.Lock()
	if !s.isClosed() {
		close(s.closed)
	}
	var held []*lock
	for l := range s.locks {
		held = append(held, l)
	}
	s.mu.Unlock()

	var errs []error
	for _, l := range held {
		errs = append(errs, l.Unlock())
	}
	return errors.Join(errs...)
}

func (s *Store) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// usable returns why nothing can be done.
func (s *Store) usable(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.isClosed() {
		return fmt.Errorf("%s: %w", s.dir, fs.ErrClosed)
	}
	return nil
}

// lockFor returns the lock taken through this store that has the epoch, or nil.
func (s *Store) lockFor(e state.Epoch) *lock {
	s.mu.Lock()
	defer s.mu.Unlock()
	for l := range s.locks {
		if l.epoch == e {
			return l
		}
	}
	return nil
}
