package bolt

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"

	"go.etcd.io/bbolt"

	"github.com/stowage-run/stowage/state"
)

// Read implements state.Store.
func (s *Store) Read(ctx context.Context, prefixes ...state.Key) (state.View, error) {
	var v state.View
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		h, err := readHead(tx)
		if err != nil {
			return err
		}
		v = state.View{Serial: h.serial, Epoch: h.epoch}
		r := reader{cursor: tx.Bucket([]byte(bucketRecords)).Cursor()}
		for _, p := range distinct(prefixes) {
			if err := r.read([]byte(p)); err != nil {
				return err
			}
		}
		v.Records = r.records
		return nil
	})
	if errors.Is(err, errAbsent) {
		return state.View{}, nil
	}
	if err != nil {
		return state.View{}, err
	}
	return v, nil
}

// readHead reads the head of a verified file.
func readHead(tx *bbolt.Tx) (head, error) {
	h, err := decodeHead(tx.Bucket([]byte(bucketHead)).Get([]byte(keyHead)))
	if err != nil {
		return h, damage("%w", err)
	}
	return h, nil
}

// distinct sorts the prefixes and leaves out those that another one takes in. None is all.
func distinct(prefixes []state.Key) []state.Key {
	if len(prefixes) == 0 {
		return []state.Key{""}
	}
	var out []state.Key
	for _, p := range slices.Sorted(slices.Values(prefixes)) {
		if len(out) == 0 || !strings.HasPrefix(string(p), string(out[len(out)-1])) {
			out = append(out, p)
		}
	}
	return out
}

// reader collects records. What bbolt gives is only valid during the transaction, so it is copied: into pieces of
// memory, each larger than the one before, since one that grows would be copied again and again.
type reader struct {
	cursor  *bbolt.Cursor
	records []state.Record
	piece   []byte
}

// The least and the greatest size of a reader's piece of memory, in bytes, for values that are no larger.
const (
	leastPiece    = 4 << 10
	greatestPiece = 512 << 10
)

// read collects the records with a prefix.
func (r *reader) read(prefix []byte) error {
	for k, v := r.cursor.Seek(prefix); k != nil && bytes.HasPrefix(k, prefix); k, v = r.cursor.Next() {
		serial, value, err := decodeRecord(k, v)
		if err != nil {
			return damage("%w", err)
		}
		r.records = append(r.records, state.Record{Key: state.Key(k), Serial: serial, Value: r.keep(value)})
	}
	return nil
}

// keep copies a value.
func (r *reader) keep(value []byte) []byte {
	if len(value) > cap(r.piece)-len(r.piece) {
		size := min(max(2*cap(r.piece), leastPiece), greatestPiece)
		r.piece = make([]byte, 0, max(size, len(value)))
	}
	from := len(r.piece)
	r.piece = append(r.piece, value...)
	return r.piece[from:len(r.piece):len(r.piece)]
}

// Check verifies the whole file, what bbolt itself checks included, whatever was seen of it before. It
// takes longer than reading it: it is for those who have a doubt. A *state.DamagedError says what is wrong.
func (s *Store) Check(ctx context.Context) error {
	s.setSound(metas{})
	err := s.view(ctx, func(tx *bbolt.Tx) error {
		var first error
		for err := range tx.Check() { // to the end: its goroutine must not be left behind
			if first == nil {
				first = damage("%w", err)
			}
		}
		return first
	})
	if errors.Is(err, errAbsent) {
		return nil
	}
	return err
}
