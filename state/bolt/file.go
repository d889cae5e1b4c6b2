package bolt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
	"go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"github.com/stowage-run/stowage/state"
)

// errAbsent says that there is no file yet.
var errAbsent = errors.New("no state yet")

// view runs fn on the file as it is. errAbsent where there is none.
func (s *Store) view(ctx context.Context, fn func(*bbolt.Tx) error) error {
	s.rw.RLock()
	defer s.rw.RUnlock()
	f, err := s.open(ctx, os.O_RDONLY, unix.LOCK_SH)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.guard(func() error {
		db, err := s.bolt(f, true)
		if err != nil {
			return err
		}
		return errors.Join(db.View(fn), db.Close())
	})
}

// update runs fn on the file, and commits where fn says that it changed something. errAbsent where there is no file.
func (s *Store) update(ctx context.Context, fn func(*bbolt.Tx) (changed bool, err error)) error {
	s.rw.Lock()
	defer s.rw.Unlock()
	f, err := s.open(ctx, os.O_RDWR, unix.LOCK_EX)
	if err != nil {
		return err
	}
	defer f.Close()
	return s.guard(func() error {
		db, err := s.bolt(f, false)
		if err != nil {
			return err
		}
		return errors.Join(s.transact(f, db, fn), db.Close())
	})
}

// transact runs fn in a transaction.
func (s *Store) transact(f *os.File, db *bbolt.DB, fn func(*bbolt.Tx) (bool, error)) error {
	tx, err := db.Begin(true)
	if err != nil {
		return fmt.Errorf("%s: %w", s.Path(), err)
	}
	changed, err := fn(tx)
	if err != nil || !changed {
		return errors.Join(err, tx.Rollback())
	}
	before := s.remembered()
	if err := tx.Commit(); err != nil {
		return s.outcome(f, before, tx, err)
	}
	return s.remember(f)
}

// open opens the file, waits for the lock on it and verifies it.
func (s *Store) open(ctx context.Context, flag, how int) (*os.File, error) {
	for {
		if err := s.usable(ctx); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(s.Path(), flag, 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, s.absent()
		}
		if err != nil && flag == os.O_RDONLY {
			return nil, err
		}
		if err != nil {
			return nil, classify(s.Path(), err)
		}
		same, err := s.secure(ctx, f, how)
		if err == nil && same {
			return f, nil
		}
		f.Close()
		if err != nil {
			return nil, err
		}
	}
}

// secure locks the open file and verifies it; false where another one has been put in its place meanwhile.
func (s *Store) secure(ctx context.Context, f *os.File, how int) (same bool, err error) {
	if err := flock(ctx, f, how, s.busy); err != nil {
		return false, err
	}
	if !isAt(f, s.Path()) {
		return false, nil
	}
	return true, s.verify(f)
}

// isAt reports whether the open file is the one at the path.
func isAt(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Lstat(path)
	return err == nil && os.SameFile(a, b)
}

// verify checks the file, unless it is as we last saw or left it.
func (s *Store) verify(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return classify(s.Path(), err)
	}
	if _, raw, err := readMetas(f, info.Size()); err == nil && raw == s.remembered() {
		return nil
	}
	im, err := readImage(f)
	if err != nil {
		return s.damaged(err)
	}
	s.setSound(im.raw)
	return nil
}

func (s *Store) remembered() metas {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sound
}

func (s *Store) setSound(m metas) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sound = m
}

// remember notes that the file is as we left it.
func (s *Store) remember(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return classify(s.Path(), err)
	}
	_, raw, err := readMetas(f, info.Size())
	if err != nil {
		return s.damaged(damage("%w", err))
	}
	s.setSound(raw)
	return nil
}

// outcome classes the error of a commit. As long as the meta pages are as before, nothing was written
// that counts, and the error's class may say so; else only a look at the file tells.
func (s *Store) outcome(f *os.File, before metas, tx *bbolt.Tx, err error) error {
	info, statErr := f.Stat()
	if statErr == nil {
		if _, now, readErr := readMetas(f, info.Size()); readErr == nil && now == before {
			stats := tx.Stats()
			return classify(fmt.Sprintf("%s, %d bytes more", s.Path(), stats.GetPageAlloc()), growth(f, info.Size(), err))
		}
	}
	s.setSound(metas{})
	// Not wrapped: the class would say that nothing was written.
	return errors.New("write " + s.Path() + ": " + err.Error())
}

// growth returns the cause of a commit's error. bbolt's error of a file that may not grow is text
// only, so the file is grown as bbolt does, by at least its own size, to see what the system says.
func growth(f *os.File, size int64, err error) error {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return err
	}
	grown := f.Truncate(2 * size)
	return errors.Join(err, grown, f.Truncate(size))
}

// bolt opens the verified file with bbolt.
func (s *Store) bolt(f *os.File, readOnly bool) (*bbolt.DB, error) {
	db, err := bbolt.Open(s.Path(), 0o600, &bbolt.Options{
		ReadOnly:     readOnly,
		Timeout:      time.Second, // the lock is ours already
		FreelistType: bbolt.FreelistMapType,
		NoStatistics: true,
		OpenFile:     func(string, int, os.FileMode) (*os.File, error) { return f, nil },
	})
	if err != nil {
		return nil, classify(s.Path(), err)
	}
	return db, nil
}

// guard turns a panic into a *state.DamagedError. A verified file gives bbolt no cause for one; what
// remains is a file that somebody changes while it is open, up to a page that is no longer there (SIGBUS).
// After a panic bbolt's own Close might wait for ever for the transaction: the caller closes the file,
// which frees it for others, and a mapping is left behind.
func (s *Store) guard(fn func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if r := recover(); r != nil {
			s.setSound(metas{})
			err = s.damaged(damage("%v", r))
		}
	}()
	err = fn()
	var d errDamage
	if errors.As(err, &d) {
		return s.damaged(err)
	}
	return err
}

// damaged turns an error of verification into a *state.DamagedError that says what can be done.
func (s *Store) damaged(err error) error {
	if errors.Is(err, state.ErrNewer) {
		return fmt.Errorf("%s: %w", s.Path(), err)
	}
	var d errDamage
	if !errors.As(err, &d) {
		return classify(s.Path(), err)
	}
	return &state.DamagedError{Path: s.Path(), What: err.Error(), Try: s.remedies()}
}

// remedies says how a damaged file is mended, the best first.
func (s *Store) remedies() []string {
	rebuild := []string{"stowage state rebuild    to read it back from the hosts"}
	f, err := os.Open(s.file(copyName))
	if err != nil {
		return rebuild
	}
	defer f.Close()
	if _, err := readImage(f); err != nil {
		return rebuild
	}
	made := ""
	if info, err := f.Stat(); err == nil {
		made = " of " + info.ModTime().Format(time.RFC3339)
	}
	return append([]string{fmt.Sprintf("cp %s %s    to restore the copy%s", s.file(copyName), s.Path(), made)}, rebuild...)
}

// absent is the error where there is no file: errAbsent, or damage where there was one.
func (s *Store) absent() error {
	if _, err := os.Stat(s.file(copyName)); err != nil {
		return errAbsent
	}
	return s.damaged(damage("the file is missing, and its copy is there"))
}

// create makes the file, with nothing in it, in one step: it is made beside and renamed. The caller has the gate.
func (s *Store) create() error {
	if _, err := os.Lstat(s.Path()); err == nil {
		return nil
	}
	fresh := s.file(fileName + ".new")
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return classify(fresh, err)
	}
	defer os.Remove(fresh)
	err := s.guard(func() error {
		db, err := bbolt.Open(fresh, 0o600, &bbolt.Options{Timeout: s.busy, FreelistType: bbolt.FreelistMapType})
		if err != nil {
			return err
		}
		return errors.Join(db.Update(format1), db.Close())
	})
	if err != nil {
		return classify(fresh, err)
	}
	if err := os.Rename(fresh, s.Path()); err != nil {
		return classify(s.Path(), err)
	}
	return syncDir(s.dir)
}

// format1 makes the buckets of an empty file.
func format1(tx *bbolt.Tx) error {
	for _, name := range []string{bucketHead, bucketRecords, bucketGone} {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	return tx.Bucket([]byte(bucketHead)).Put([]byte(keyHead), head{}.encode())
}

// backup copies the file, where it is not what the copy is of already. The caller has the gate.
func (s *Store) backup(ctx context.Context) error {
	s.rw.RLock()
	defer s.rw.RUnlock()
	f, err := s.open(ctx, os.O_RDONLY, unix.LOCK_SH)
	if errors.Is(err, errAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if s.copied(f) {
		return nil
	}
	im, err := readImage(f)
	if err != nil {
		return s.damaged(err)
	}
	name := s.file(copyName)
	if err := renameio.WriteFile(name, im.bytes, 0o600, renameio.WithTempDir(s.dir)); err != nil {
		return classify(fmt.Sprintf("%s, %d bytes", name, len(im.bytes)), err)
	}
	return syncDir(s.dir)
}

// copied reports whether the copy is of this very file.
func (s *Store) copied(f *os.File) bool {
	c, err := os.Open(s.file(copyName))
	if err != nil {
		return false
	}
	defer c.Close()
	info, err := c.Stat()
	if err != nil {
		return false
	}
	_, raw, err := readMetas(c, info.Size())
	return err == nil && raw == s.remembered()
}

// classify gives an error of the file system its class.
func classify(what string, err error) error {
	for _, e := range []error{unix.ENOSPC, unix.EDQUOT, unix.EFBIG} {
		if errors.Is(err, e) {
			return fmt.Errorf("%s: %w: %w", what, state.ErrFull, err)
		}
	}
	for _, e := range []error{unix.EROFS, unix.EACCES, unix.EPERM} {
		if errors.Is(err, e) {
			return fmt.Errorf("%s: %w: %w", what, state.ErrReadOnly, err)
		}
	}
	return fmt.Errorf("%s: %w", what, err)
}

// syncDir makes what was made or renamed in a directory durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return classify(dir, err)
	}
	defer d.Close()
	if err := d.Sync(); err != nil {
		return classify(dir, err)
	}
	return nil
}
