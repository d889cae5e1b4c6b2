package bolt

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/renameio/v2"
	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/stowage-run/stowage/state"
)

// lock is the kernel's lock on the open lock file. It is ours for as long as that file is the one that is called so:
// who breaks it puts another in its place.
type lock struct {
	store *Store
	file  *os.File
	epoch state.Epoch

	clear func() error // removes the holder's name

	once sync.Once
	stop chan struct{} // closed: the watch over it shall end
	done chan struct{} // closed: it has
	lost chan struct{}
	err  error
}

// Lock implements state.Store. It keeps a copy of the file as it was (state.db.1), so a disk that is
// full or read-only is found before anything is done under the lock.
func (s *Store) Lock(ctx context.Context, h state.Holder, wait time.Duration) (state.Lock, error) {
	end := time.Now().Add(wait)
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	if err := s.makeDir(); err != nil {
		return nil, err
	}
	for {
		var l *lock
		var other state.Holder
		err := s.gated(ctx, func() (err error) {
			l, other, err = s.take(ctx, h)
			return err
		})
		if err != nil {
			return nil, err
		}
		if l != nil {
			return s.hold(l)
		}
		left := time.Until(end)
		if left <= 0 {
			return nil, &state.LockedError{Holder: other}
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.closed:
		case <-time.After(min(left, s.poll/4)):
		}
	}
}

// take takes the lock, or says who has it. The caller has the gate.
func (s *Store) take(ctx context.Context, h state.Holder) (l *lock, other state.Holder, err error) {
	if err := s.usable(ctx); err != nil {
		return nil, other, err
	}
	name := s.file(lockName)
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, other, classify(name, err)
	}
	ok, err := tryFlock(f, unix.LOCK_EX)
	if err != nil || !ok {
		f.Close()
		return nil, s.holder(), err
	}
	epoch, err := s.enter(ctx, h)
	if err != nil {
		f.Close()
		return nil, other, err
	}
	l = &lock{store: s, file: f, epoch: epoch, stop: make(chan struct{}), done: make(chan struct{}), lost: make(chan struct{})}
	ctx = context.WithoutCancel(ctx) // the lock is given up after an interruption too
	l.clear = func() error { return s.clear(ctx, l) }
	return l, other, nil
}

// clear removes the holder's name, where the lock was not broken. It is a courtesy: the name of a holder
// who has not the kernel's lock is nobody's.
func (s *Store) clear(ctx context.Context, l *lock) error {
	err := s.gated(ctx, func() error {
		if !l.held() {
			return nil
		}
		return os.Remove(s.file(holderName))
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// enter does what comes with the lock: the copy, the epoch, the holder's name.
func (s *Store) enter(ctx context.Context, h state.Holder) (state.Epoch, error) {
	if err := s.backup(ctx); err != nil {
		return 0, err
	}
	epoch, err := s.raiseEpoch(ctx)
	if err != nil {
		return 0, err
	}
	b, err := json.MarshalIndent(h, "", "  ")
	if err != nil {
		return 0, fmt.Errorf("encode the lock's holder: %w", err)
	}
	name := s.file(holderName)
	if err := renameio.WriteFile(name, append(b, '\n'), 0o600, renameio.WithTempDir(s.dir)); err != nil {
		return 0, classify(name, err)
	}
	return epoch, nil
}

// raiseEpoch writes the next epoch, which fences who has an earlier one. The caller has the gate.
func (s *Store) raiseEpoch(ctx context.Context) (epoch state.Epoch, err error) {
	raise := func(tx *bbolt.Tx) (bool, error) {
		w, err := newWriter(tx)
		if err != nil {
			return false, err
		}
		w.head.epoch++
		epoch = w.head.epoch
		return true, w.writeHead()
	}
	err = s.update(ctx, raise)
	if errors.Is(err, errAbsent) {
		if err = s.create(); err == nil {
			err = s.update(ctx, raise)
		}
	}
	return epoch, err
}

// hold notes the lock and starts the watch over it, which Unlock ends and waits for.
func (s *Store) hold(l *lock) (state.Lock, error) {
	s.mu.Lock()
	closed := s.isClosed()
	if !closed {
		s.locks[l] = true
	}
	s.mu.Unlock()
	go l.watch(s.poll)
	if closed {
		return nil, errors.Join(fs.ErrClosed, l.Unlock())
	}
	return l, nil
}

// watch closes lost when the lock was broken.
func (l *lock) watch(poll time.Duration) {
	defer close(l.done)
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			if !l.held() {
				close(l.lost)
				return
			}
		}
	}
}

// held reports whether the lock was not broken.
func (l *lock) held() bool { return isAt(l.file, l.store.file(lockName)) }

// Epoch implements state.Lock.
func (l *lock) Epoch() state.Epoch { return l.epoch }

// Lost implements state.Lock.
func (l *lock) Lost() <-chan struct{} { return l.lost }

// Unlock implements state.Lock.
func (l *lock) Unlock() error {
	l.once.Do(func() {
		close(l.stop)
		<-l.done
		l.err = errors.Join(l.clear(), l.file.Close())
		l.store.mu.Lock()
		delete(l.store.locks, l)
		l.store.mu.Unlock()
	})
	return l.err
}

// Holder implements state.Store.
func (s *Store) Holder(ctx context.Context) (h *state.Holder, err error) {
	if err := s.usable(ctx); err != nil {
		return nil, err
	}
	err = s.gated(ctx, func() error {
		taken, err := s.taken()
		if taken {
			who := s.holder()
			h = &who
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return h, err
}

// taken reports whether somebody has the kernel's lock. The caller has the gate, so that the look
// does not get in the way of who wants to take it.
func (s *Store) taken() (bool, error) {
	name := s.file(lockName)
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, classify(name, err)
	}
	defer f.Close()
	free, err := tryFlock(f, unix.LOCK_SH)
	return !free && err == nil, err
}

// holder reads who has the lock; zero where that is not to be read.
func (s *Store) holder() (h state.Holder) {
	b, err := os.ReadFile(s.file(holderName))
	if err != nil || json.Unmarshal(b, &h) != nil {
		return state.Holder{}
	}
	return h
}

// BreakLock implements state.Store. The holder is fenced twice: by the epoch in the file, and by the lock file
// that is no longer the one it has locked, which also holds when the file itself is damaged and gets replaced.
func (s *Store) BreakLock(ctx context.Context, id string) error {
	if err := s.usable(ctx); err != nil {
		return err
	}
	err := s.gated(ctx, func() error {
		taken, err := s.taken()
		if err != nil {
			return err
		}
		if !taken || s.holder().ID != id {
			return state.ErrNotLocked
		}
		if _, err := s.raiseEpoch(ctx); err != nil && !errors.Is(err, state.ErrDamaged) {
			return err
		}
		if err := os.Remove(s.file(holderName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return classify(s.file(holderName), err)
		}
		name := s.file(lockName)
		if err := renameio.WriteFile(name, nil, 0o600, renameio.WithTempDir(s.dir)); err != nil {
			return classify(name, err)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = state.ErrNotLocked
	}
	if err != nil {
		return fmt.Errorf("break the lock %s: %w", id, err)
	}
	return nil
}

// SetAside renames a file that is damaged, so that a new one can be begun in its place, and returns what it is
// called then. Nobody may hold the lock: *state.LockedError. Where there is no file the name is empty.
func (s *Store) SetAside(ctx context.Context, now time.Time) (name string, err error) {
	err = s.gated(ctx, func() error {
		taken, err := s.taken()
		if err != nil {
			return err
		}
		if taken {
			return &state.LockedError{Holder: s.holder()}
		}
		suffix := now.UTC().Format("20060102T150405Z")
		for _, from := range []string{copyName, fileName} {
			to := s.file(from + ".damaged-" + suffix)
			err := os.Rename(s.file(from), to)
			switch {
			case err == nil:
				name = to
			case !errors.Is(err, fs.ErrNotExist):
				return classify(s.file(from), err)
			}
		}
		return syncDir(s.dir)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return name, err
}

// gated runs fn while it has the kernel's lock on the fleet's directory, which is held for a moment by
// who takes, breaks or looks at the lock, or makes the file. fs.ErrNotExist where there is no directory.
func (s *Store) gated(ctx context.Context, fn func() error) error {
	d, err := os.Open(s.dir)
	if err != nil {
		return classify(s.dir, err)
	}
	defer d.Close()
	if err := flock(ctx, d, unix.LOCK_EX, s.busy); err != nil {
		return err
	}
	return fn()
}

// makeDir makes the fleet's directory.
func (s *Store) makeDir() error {
	ignore := s.file(".gitignore")
	if _, err := os.Stat(ignore); err == nil {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return classify(s.dir, err)
	}
	if err := os.WriteFile(ignore, []byte("*\n"), 0o600); err != nil {
		return classify(ignore, err)
	}
	path := filepath.Dir(s.dir)
	for _, d := range []string{s.dir, path, filepath.Dir(path)} {
		// One that may not be opened is not one that was made just now.
		if err := syncDir(d); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return nil
}
