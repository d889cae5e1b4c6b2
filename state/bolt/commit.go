package bolt

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/stowage-run/stowage/state"
)

// Commit implements state.Store.
func (s *Store) Commit(ctx context.Context, t state.Txn) (state.Serial, error) {
	if err := t.Check(); err != nil {
		return 0, err
	}
	if err := s.fenced(t.Epoch); err != nil {
		return 0, err
	}
	var serial state.Serial
	commit := func(tx *bbolt.Tx) (bool, error) {
		w, err := newWriter(tx)
		if err != nil {
			return false, err
		}
		changed, err := w.apply(t, s.maxGone)
		serial = w.head.serial
		return changed, err
	}
	err := s.update(ctx, commit)
	if errors.Is(err, errAbsent) {
		if needless, err := onNothing(t); needless {
			return 0, err
		}
		if err = s.makeFile(ctx); err == nil {
			err = s.update(ctx, commit)
		}
		if err != nil {
			return 0, err
		}
		return serial, nil
	}
	if err != nil {
		return 0, err
	}
	return serial, nil
}

// fenced refuses an epoch whose lock was taken through this store and was broken since: the file may
// have been replaced with all that it said of epochs.
func (s *Store) fenced(e state.Epoch) error {
	if e == 0 {
		return nil
	}
	if l := s.lockFor(e); l != nil && !l.held() {
		return fmt.Errorf("epoch %d: %w", e, state.ErrFenced)
	}
	return nil
}

// onNothing carries a transaction out where there is no file, as far as none is needed for it.
func onNothing(t state.Txn) (done bool, err error) {
	if t.Epoch != 0 {
		return true, fmt.Errorf("epoch %d, and there is no state: %w", t.Epoch, state.ErrFenced)
	}
	for _, c := range t.If {
		if c.Serial != 0 {
			return true, conflict(c, 0)
		}
	}
	return len(t.Put) == 0, nil
}

func conflict(c state.Condition, got state.Serial) error {
	return fmt.Errorf("%s at serial %d, expected %d: %w", c.Key, got, c.Serial, state.ErrConflict)
}

// makeFile makes the directory and the file.
func (s *Store) makeFile(ctx context.Context) error {
	if err := s.makeDir(); err != nil {
		return err
	}
	return s.gated(ctx, s.create)
}

// writer changes the records in a transaction of bbolt's.
type writer struct {
	tx      *bbolt.Tx
	head    head
	records *bbolt.Bucket
	gone    *bbolt.Bucket
	next    state.Serial
}

func newWriter(tx *bbolt.Tx) (*writer, error) {
	h, err := readHead(tx)
	if err != nil {
		return nil, err
	}
	return &writer{
		tx: tx, head: h, next: h.serial + 1,
		records: tx.Bucket([]byte(bucketRecords)),
		gone:    tx.Bucket([]byte(bucketGone)),
	}, nil
}

// apply carries out a transaction; changed tells whether it changed anything.
func (w *writer) apply(t state.Txn, maxGone uint64) (changed bool, err error) {
	if t.Epoch != 0 && t.Epoch != w.head.epoch {
		return false, fmt.Errorf("epoch %d, now %d: %w", t.Epoch, w.head.epoch, state.ErrFenced)
	}
	for _, c := range t.If {
		serial, _, _, err := w.get(c.Key)
		if err != nil {
			return false, err
		}
		if serial != c.Serial {
			return false, conflict(c, serial)
		}
	}
	for _, p := range t.Put {
		did, err := w.put(p)
		if err != nil {
			return false, err
		}
		changed = changed || did
	}
	for _, k := range t.Delete {
		did, err := w.delete(k)
		if err != nil {
			return false, err
		}
		changed = changed || did
	}
	if !changed {
		return false, nil
	}
	if err := w.trim(maxGone); err != nil {
		return false, err
	}
	w.head.serial = w.next
	return true, w.writeHead()
}

// get returns a record: its serial, value and stored form; serial 0 where there is none.
func (w *writer) get(k state.Key) (serial state.Serial, value, raw []byte, err error) {
	raw = w.records.Get([]byte(k))
	if raw == nil {
		return 0, nil, nil, nil
	}
	serial, value, err = decodeRecord([]byte(k), raw)
	if err != nil {
		return 0, nil, nil, damage("%w", err)
	}
	return serial, value, raw, nil
}

// put writes a record unless it is there already.
func (w *writer) put(p state.Put) (changed bool, err error) {
	serial, value, raw, err := w.get(p.Key)
	if err != nil || serial != 0 && bytes.Equal(value, p.Value) {
		return false, err
	}
	if serial != 0 {
		w.head.sum -= uint64(stored(raw))
	} else {
		w.head.count++
	}
	fresh := encodeRecord([]byte(p.Key), w.next, p.Value)
	w.head.sum += uint64(stored(fresh))
	return true, w.records.Put([]byte(p.Key), fresh)
}

// delete removes a record where there is one.
func (w *writer) delete(k state.Key) (changed bool, err error) {
	serial, _, raw, err := w.get(k)
	if err != nil || serial == 0 {
		return false, err
	}
	w.head.count--
	w.head.sum -= uint64(stored(raw))
	if err := w.records.Delete([]byte(k)); err != nil {
		return false, err
	}
	note := goneKey(w.next, k)
	value := encodeGone(note)
	w.head.gone++
	w.head.sum += uint64(stored(value))
	return true, w.gone.Put(note, value)
}

// trim forgets the oldest deletions beyond the limit, all of a serial together.
func (w *writer) trim(limit uint64) error {
	c := w.gone.Cursor()
	for k, v := c.First(); k != nil; k, v = c.First() {
		serial, _, err := decodeGone(k, v)
		if err != nil {
			return damage("%w", err)
		}
		if w.head.gone <= limit && serial > w.head.floor {
			return nil
		}
		w.head.floor = serial
		w.head.gone--
		w.head.sum -= uint64(stored(v))
		if err := c.Delete(); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) writeHead() error {
	return w.tx.Bucket([]byte(bucketHead)).Put([]byte(keyHead), w.head.encode())
}
