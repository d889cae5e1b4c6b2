package bolt

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"time"

	"go.etcd.io/bbolt"

	"github.com/stowage-run/stowage/state"
)

// Watch implements state.Store. It looks at the file's meta pages five times a second, and reads on
// when they changed: no notification of the kernel's tells of writes by another process reliably on every file system.
func (s *Store) Watch(ctx context.Context, after state.Serial) iter.Seq2[state.Event, error] {
	return func(yield func(state.Event, error) bool) {
		tick := time.NewTicker(s.poll)
		defer tick.Stop()
		var seen metas
		for first := true; ctx.Err() == nil; first = false {
			now, ok := s.peek()
			if first || !ok || now != seen || s.isClosed() {
				events, err := s.since(ctx, after)
				if ctx.Err() != nil {
					return
				}
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
				seen = now
			}
			select {
			case <-ctx.Done():
			case <-s.closed:
			case <-tick.C:
			}
		}
	}
}

// peek returns the meta pages as they stand, without a lock: they may be half written, which
// only means another look.
func (s *Store) peek() (raw metas, ok bool) {
	f, err := os.Open(s.Path())
	if err != nil {
		return raw, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return raw, false
	}
	_, raw, err = readMetas(f, info.Size())
	return raw, err == nil
}

// since returns the changes after a serial, in order.
func (s *Store) since(ctx context.Context, after state.Serial) (events []state.Event, err error) {
	err = s.view(ctx, func(tx *bbolt.Tx) error {
		h, err := readHead(tx)
		if err != nil {
			return err
		}
		if after < h.floor || after > h.serial {
			return compacted(after, h.floor, h.serial)
		}
		if after == h.serial {
			return nil
		}
		events, err = collect(tx, after)
		return err
	})
	if errors.Is(err, errAbsent) && after == 0 {
		return nil, nil
	}
	if errors.Is(err, errAbsent) {
		return nil, compacted(after, 0, 0)
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(events, func(a, b state.Event) int {
		return cmp.Or(cmp.Compare(a.Serial, b.Serial), cmp.Compare(a.Key, b.Key))
	})
	return events, nil
}

func compacted(after, floor, serial state.Serial) error {
	return fmt.Errorf("changes after serial %d, known are those from %d to %d: %w", after, floor, serial, state.ErrCompacted)
}

// collect finds the records and the deletions after a serial.
func collect(tx *bbolt.Tx, after state.Serial) (events []state.Event, err error) {
	err = tx.Bucket([]byte(bucketRecords)).ForEach(func(k, v []byte) error {
		serial, value, err := decodeRecord(k, v)
		if err != nil {
			return damage("%w", err)
		}
		if serial > after {
			events = append(events, state.Event{Serial: serial, Key: state.Key(k), Value: append([]byte{}, value...)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c := tx.Bucket([]byte(bucketGone)).Cursor()
	from := goneKey(after+1, "")
	for k, v := c.Seek(from); k != nil && bytes.Compare(k, from) >= 0; k, v = c.Next() {
		serial, key, err := decodeGone(k, v)
		if err != nil {
			return nil, damage("%w", err)
		}
		events = append(events, state.Event{Serial: serial, Key: key})
	}
	return events, nil
}
