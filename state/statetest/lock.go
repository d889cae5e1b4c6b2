package statetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/state"
)

func holder(id string) state.Holder {
	return state.Holder{ID: id, Who: "ann@desk", PID: 42, Operation: "apply", Plan: "p", Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Version: "0.1"}
}

func (s *suite) lock(in state.Store, id string) state.Lock {
	s.Helper()
	l, err := in.Lock(s.ctx, holder(id), 0)
	s.ok(err)
	return l
}

func testLock(s *suite) {
	s.put("a=1")
	other := s.reopen()
	l := s.lock(s, "one")
	for _, in := range []state.Store{s, other} {
		h, err := in.Holder(s.ctx)
		s.ok(err)
		want := holder("one")
		if diff := cmp.Diff(&want, h); diff != "" {
			s.Errorf("holder (-want +got):\n%s", diff)
		}
		_, err = in.Lock(s.ctx, holder("two"), 0)
		var locked *state.LockedError
		if !errors.As(err, &locked) || locked.Holder.ID != "one" || !errors.Is(err, state.ErrLocked) {
			s.Errorf("got error %v, want who has the lock", err)
		}
	}
	t := puts("a=2")
	t.Epoch = l.Epoch()
	_, err := s.Commit(s.ctx, t)
	s.ok(err)
	s.ok(l.Unlock())
	s.ok(l.Unlock())
	h, err := other.Holder(s.ctx)
	if h != nil || err != nil {
		s.Errorf("after Unlock: holder %v, error %v", h, err)
	}
	l2 := s.lock(other, "two")
	if l2.Epoch() <= l.Epoch() {
		s.Errorf("epoch %d after %d", l2.Epoch(), l.Epoch())
	}
	s.ok(l.Unlock()) // a lock given up long ago frees nobody else's
	if h, err := s.Holder(s.ctx); err != nil || h == nil || h.ID != "two" {
		s.Errorf("holder %v, error %v", h, err)
	}
	v, err := s.Read(s.ctx)
	s.ok(err)
	if v.Epoch != l2.Epoch() || v.Serial != 2 {
		s.Errorf("epoch %d, serial %d; want %d, 2: a lock changes no record", v.Epoch, v.Serial, l2.Epoch())
	}
	select {
	case <-l2.Lost():
		s.Error("a lock that is held is called lost")
	default:
	}
}

func testLockWait(s *suite) {
	other := s.reopen()
	l := s.lock(s, "one")
	start := time.Now()
	_, err := other.Lock(s.ctx, holder("two"), 50*time.Millisecond)
	s.is(err, state.ErrLocked)
	if d := time.Since(start); d < 50*time.Millisecond {
		s.Errorf("gave up after %s", d)
	}
	ctx, cancel := context.WithTimeout(s.ctx, 30*time.Millisecond)
	defer cancel()
	_, err = other.Lock(ctx, holder("two"), time.Hour)
	s.is(err, context.DeadlineExceeded)

	got := make(chan error, 1)
	go func() {
		_, err := other.Lock(s.ctx, holder("two"), patience)
		got <- err
	}()
	s.ok(l.Unlock())
	s.ok(<-got)
}

func testLockClose(s *suite) {
	other := s.reopen()
	s.lock(other, "one")
	s.ok(other.Close())
	s.lock(s, "two")
}

func testBreak(s *suite) {
	other := s.reopen()
	s.is(other.BreakLock(s.ctx, "one"), state.ErrNotLocked)
	l := s.lock(s, "one")
	s.is(other.BreakLock(s.ctx, "two"), state.ErrNotLocked)
	t := puts("a=1")
	t.Epoch = l.Epoch()
	_, err := s.Commit(s.ctx, t)
	s.ok(err)

	s.ok(other.BreakLock(s.ctx, "one"))
	t.Put = puts("a=2").Put
	_, err = s.Commit(s.ctx, t)
	s.is(err, state.ErrFenced)
	select {
	case <-l.Lost():
	case <-s.ctx.Done():
		s.Fatal("the holder of the broken lock was not told")
	}
	if h, err := s.Holder(s.ctx); h != nil || err != nil {
		s.Errorf("holder %v, error %v", h, err)
	}
	s.is(other.BreakLock(s.ctx, "one"), state.ErrNotLocked)
	l2 := s.lock(other, "two")
	s.ok(l.Unlock())
	if h, err := s.Holder(s.ctx); err != nil || h == nil || h.ID != "two" {
		s.Errorf("holder %v, error %v: the broken lock was given up", h, err)
	}
	t.Epoch = l2.Epoch()
	_, err = other.Commit(s.ctx, t)
	s.ok(err)
	s.want(s, 2, "a=2@2")
}

func testFence(s *suite) {
	first := s.lock(s, "one")
	s.ok(first.Unlock())
	t := puts("a=1")
	t.Epoch = first.Epoch()
	_, err := s.Commit(s.ctx, t) // nobody came since
	s.ok(err)
	other := s.reopen()
	second := s.lock(other, "two")
	s.ok(second.Unlock())
	t.Put = puts("a=2").Put
	for _, in := range []state.Store{s, other} {
		_, err = in.Commit(s.ctx, t)
		s.is(err, state.ErrFenced)
	}
	s.put("a=3") // without an epoch nothing is guarded
	t.If = []state.Condition{{Key: "a", Serial: 77}}
	_, err = s.Commit(s.ctx, t)
	s.is(err, state.ErrFenced)
	s.want(s, 2, "a=3@2")
}

func testLockRace(s *suite) {
	stores := []state.Store{s, s.reopen(), s.reopen()}
	var inside, highest atomic.Int64
	errs := each(9, func(i int) error {
		l, err := stores[i%3].Lock(s.ctx, holder(fmt.Sprint(i)), patience)
		if err != nil {
			return err
		}
		if n := inside.Add(1); n != 1 {
			return fmt.Errorf("%d hold the lock", n)
		}
		if e := int64(l.Epoch()); e <= highest.Swap(e) {
			return fmt.Errorf("epoch %d is not new", e)
		}
		t := puts(fmt.Sprintf("k%d=1", i))
		t.Epoch = l.Epoch()
		_, err = stores[i%3].Commit(s.ctx, t)
		inside.Add(-1)
		return errors.Join(err, l.Unlock())
	})
	s.ok(errors.Join(errs...))
	if v, err := s.Read(s.ctx); err != nil || len(v.Records) != 9 {
		s.Errorf("%d records, error %v", len(v.Records), err)
	}
}
