package bolt

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// tryFlock takes the kernel's lock on an open file; false where somebody else has it. It is the file
// description's: closing the file or the death of the process gives it up, and taking it again
// through the same description, as bbolt does, changes nothing. (gofrs/flock opens files by itself,
// and two descriptions of one file exclude each other even within a process.)
func tryFlock(f *os.File, how int) (bool, error) {
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
	}
}

// flock waits for the kernel's lock, at most for busy.
func flock(ctx context.Context, f *os.File, how int, busy time.Duration) error {
	end := time.NewTimer(busy)
	defer end.Stop()
	for pause := time.Millisecond; ; pause = min(2*pause, 20*time.Millisecond) {
		if ok, err := tryFlock(f, how); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-end.C:
			return fmt.Errorf("%s: another process has kept it for %s", f.Name(), busy)
		case <-time.After(pause):
		}
	}
}
