package memory_test

import (
	"errors"
	"testing"

	"github.com/stowage-run/stowage/state"
	"github.com/stowage-run/stowage/state/memory"
	"github.com/stowage-run/stowage/state/statetest"
)

func TestStore(t *testing.T) {
	statetest.Run(t, func(t *testing.T) (state.Store, func() state.Store) {
		s := memory.New()
		return s, func() state.Store { return s.Share() }
	})
}

func put(k, v string) state.Txn {
	return state.Txn{Put: []state.Put{{Key: state.Key(k), Value: []byte(v)}}}
}

func TestFailAt(t *testing.T) {
	s := memory.New()
	broken := errors.New("broken")
	s.FailAt(2, broken)
	for i, want := range []error{nil, broken, nil} {
		if _, err := s.Commit(t.Context(), put("a", string(rune('0'+i)))); !errors.Is(err, want) {
			t.Errorf("commit %d: got error %v, want %v", i, err, want)
		}
	}
	if v, err := s.Read(t.Context()); err != nil || v.Serial != 2 {
		t.Errorf("serial %d, error %v", v.Serial, err)
	}
}

func TestHooks(t *testing.T) {
	s := memory.New()
	lost := errors.New("the answer got lost")
	s.AfterCommit = func(state.Txn) error { return lost }
	if _, err := s.Commit(t.Context(), put("a", "1")); !errors.Is(err, lost) {
		t.Errorf("got error %v", err)
	}
	var next *memory.Store
	s.BeforeCommit = func(state.Txn) error { next = s.Crash(); return nil }
	if _, err := s.Lock(t.Context(), state.Holder{ID: "x"}, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Commit(t.Context(), put("b", "1")); err == nil {
		t.Error("a crashed store commits")
	}
	v, err := next.Read(t.Context())
	if err != nil || len(v.Records) != 1 || v.Records[0].Key != "a" {
		t.Errorf("after the crash: %v, error %v", v, err)
	}
	if _, err := next.Lock(t.Context(), state.Holder{ID: "y"}, 0); err != nil {
		t.Errorf("the lock was not freed: %v", err)
	}
}

func TestClone(t *testing.T) {
	s := memory.New()
	if _, err := s.Commit(t.Context(), put("a", "1")); err != nil {
		t.Fatal(err)
	}
	c := s.Clone()
	if _, err := c.Commit(t.Context(), put("a", "2")); err != nil {
		t.Fatal(err)
	}
	if v, err := s.Read(t.Context()); err != nil || string(v.Records[0].Value) != "1" {
		t.Errorf("the original holds %q, error %v", v.Records[0].Value, err)
	}
}

func TestCompact(t *testing.T) {
	s := memory.New()
	for _, v := range []string{"1", "2"} {
		if _, err := s.Commit(t.Context(), put("a", v)); err != nil {
			t.Fatal(err)
		}
	}
	s.Compact()
	for _, err := range s.Watch(t.Context(), 1) {
		if !errors.Is(err, state.ErrCompacted) {
			t.Errorf("got error %v", err)
		}
		return
	}
}
