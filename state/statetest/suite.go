package statetest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/state"
)

// Open makes an empty store for a test, and a function that opens the same one once more, as another
// process would. The suite closes what it opens.
type Open func(t *testing.T) (s state.Store, reopen func() state.Store)

// patience bounds what must happen soon: it is long since the machine may be busy, and never waited for in full.
const patience = 20 * time.Second

// suite is one test's store.
type suite struct {
	*testing.T
	state.Store
	ctx    context.Context
	reopen func() state.Store
}

// Run runs the suite.
func Run(t *testing.T, open Open) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*suite)
	}{
		{"an empty store reads as nothing", testEmpty},
		{"a commit is read back by every store", testReadBack},
		{"records come sorted and by prefix", testPrefixes},
		{"a commit that changes nothing keeps the serial", testSerial},
		{"conditions hold or nothing is written", testConditions},
		{"of writers that race for a record one wins", testRace},
		{"limits are kept", testLimits},
		{"what was read is not shared", testNotShared},
		{"values may be empty or any bytes", testBytes},
		{"a lock has one holder", testLock},
		{"a lock is waited for", testLockWait},
		{"a lock is freed by close", testLockClose},
		{"a broken lock fences its holder", testBreak},
		{"a later lock fences an earlier one", testFence},
		{"one lock is given to many who want it", testLockRace},
		{"a watch tells of every change in order", testWatch},
		{"a watch begins where it is told to", testWatchAfter},
		{"a watch beyond the end is compacted", testWatchCompacted},
		{"a watch ends with its context", testWatchEnds},
		{"commits at once all count", testConcurrent},
		{"a transaction is seen whole", testAtomic},
		{"a closed store refuses", testClosed},
		{"an ended context is refused", testContext},
		{"typed records come back", testRecords},
		{"the identity is made once", testMeta},
		{"a writer merges commits", testWriter},
	} {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			s, reopen := open(t)
			t.Cleanup(func() { s.Close() })
			c.test(&suite{T: t, Store: s, ctx: ctx, reopen: func() state.Store {
				other := reopen()
				t.Cleanup(func() { other.Close() })
				return other
			}})
		})
	}
	t.Run("random operations agree with a model", func(t *testing.T) { testModel(t, open) })
}

// ok ends the test at an error.
func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// is ends the test unless err is the wanted one.
func (s *suite) is(err, want error) {
	s.Helper()
	if !errors.Is(err, want) {
		s.Fatalf("got error %v, want %v", err, want)
	}
}

// put commits key=value pairs and returns the serial.
func (s *suite) put(pairs ...string) state.Serial {
	s.Helper()
	serial, err := s.Commit(s.ctx, puts(pairs...))
	s.ok(err)
	return serial
}

func puts(pairs ...string) state.Txn {
	var t state.Txn
	for _, p := range pairs {
		k, v, _ := strings.Cut(p, "=")
		t.Put = append(t.Put, state.Put{Key: state.Key(k), Value: []byte(v)})
	}
	return t
}

// dump writes a view as text: "a=1@3 b=2@4".
func dump(v state.View) string {
	var out []string
	for _, r := range v.Records {
		out = append(out, fmt.Sprintf("%s=%s@%d", r.Key, r.Value, r.Serial))
	}
	return strings.Join(out, " ")
}

// want compares what a store holds.
func (s *suite) want(in state.Store, serial state.Serial, want string, prefixes ...state.Key) {
	s.Helper()
	v, err := in.Read(s.ctx, prefixes...)
	s.ok(err)
	if diff := cmp.Diff(want, dump(v)); diff != "" || v.Serial != serial {
		s.Fatalf("serial %d, want %d; records (-want +got):\n%s", v.Serial, serial, diff)
	}
}

func testEmpty(s *suite) {
	v, err := s.Read(s.ctx)
	s.ok(err)
	if diff := cmp.Diff(state.View{}, v); diff != "" {
		s.Errorf("view (-want +got):\n%s", diff)
	}
	serial, err := s.Commit(s.ctx, state.Txn{Delete: []state.Key{"a"}})
	if err != nil || serial != 0 {
		s.Errorf("deleting nothing: serial %d, error %v", serial, err)
	}
	_, err = s.Commit(s.ctx, state.Txn{If: []state.Condition{{Key: "a", Serial: 1}}})
	s.is(err, state.ErrConflict)
	_, err = s.Commit(s.ctx, state.Txn{Epoch: 1, Put: puts("a=1").Put})
	s.is(err, state.ErrFenced)
	h, err := s.Holder(s.ctx)
	if h != nil || err != nil {
		s.Errorf("holder %v, error %v", h, err)
	}
	s.is(s.BreakLock(s.ctx, "x"), state.ErrNotLocked)
}

func testReadBack(s *suite) {
	other := s.reopen()
	if got := s.put("a=1", "b=2"); got != 1 {
		s.Errorf("serial %d, want 1", got)
	}
	s.want(s, 1, "a=1@1 b=2@1")
	s.want(other, 1, "a=1@1 b=2@1")
	_, err := other.Commit(s.ctx, state.Txn{Put: puts("b=3").Put, Delete: []state.Key{"a"}})
	s.ok(err)
	s.want(s, 2, "b=3@2")
	s.ok(s.Close())
	s.want(s.reopen(), 2, "b=3@2")
}

func testPrefixes(s *suite) {
	s.put("b/2=x", "a/1=x", "b/1=x", "c=x", "b=x")
	s.want(s, 1, "a/1=x@1 b=x@1 b/1=x@1 b/2=x@1 c=x@1")
	s.want(s, 1, "b/1=x@1 b/2=x@1", "b/")
	s.want(s, 1, "a/1=x@1 b=x@1 b/1=x@1 b/2=x@1", "b", "a/", "b/1", "a")
	s.want(s, 1, "", "d")
	s.want(s, 1, "c=x@1", "c", "cc")
}

func testSerial(s *suite) {
	s.put("a=1", "b=1")
	if got := s.put("a=1"); got != 1 {
		s.Errorf("the same again: serial %d, want 1", got)
	}
	serial, err := s.Commit(s.ctx, state.Txn{Put: puts("b=1").Put, Delete: []state.Key{"none"}})
	if err != nil || serial != 1 {
		s.Errorf("deleting nothing: serial %d, error %v", serial, err)
	}
	serial, err = s.Commit(s.ctx, state.Txn{})
	if err != nil || serial != 1 {
		s.Errorf("nothing: serial %d, error %v", serial, err)
	}
	if got := s.put("a=1", "b=2"); got != 2 {
		s.Errorf("one of two: serial %d, want 2", got)
	}
	s.want(s, 2, "a=1@1 b=2@2")
}

func testConditions(s *suite) {
	s.put("a=1")
	s.put("b=1")
	commit := func(conditions ...state.Condition) error {
		t := puts("c=1")
		t.If = conditions
		_, err := s.Commit(s.ctx, t)
		return err
	}
	s.is(commit(state.Condition{Key: "a", Serial: 2}), state.ErrConflict)
	s.is(commit(state.Condition{Key: "a"}), state.ErrConflict)
	s.is(commit(state.Condition{Key: "c", Serial: 1}), state.ErrConflict)
	s.is(commit(state.Condition{Key: "a", Serial: 1}, state.Condition{Key: "b", Serial: 1}), state.ErrConflict)
	s.want(s, 2, "a=1@1 b=1@2")
	s.ok(commit(state.Condition{Key: "a", Serial: 1}, state.Condition{Key: "b", Serial: 2}, state.Condition{Key: "c"}))
	s.want(s, 3, "a=1@1 b=1@2 c=1@3")
	_, err := s.Commit(s.ctx, state.Txn{If: []state.Condition{{Key: "a", Serial: 9}}, Put: puts("a=1").Put})
	s.is(err, state.ErrConflict) // though it would change nothing
}

func testRace(s *suite) {
	stores := []state.Store{s, s.reopen(), s.reopen()}
	errs := each(12, func(i int) error {
		t := puts(fmt.Sprintf("a=%d", i))
		t.If = []state.Condition{{Key: "a"}}
		_, err := stores[i%3].Commit(s.ctx, t)
		return err
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			s.is(err, state.ErrConflict)
		}
	}
	if won != 1 {
		s.Errorf("%d won", won)
	}
}

// each calls fn for 0..n-1 at once and returns the errors.
func each(n int, fn func(int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = fn(i) })
	}
	wg.Wait()
	return errs
}

func testLimits(s *suite) {
	full := state.Txn{}
	for i := range state.MaxTxnOps {
		full.Put = append(full.Put, state.Put{Key: state.Key(fmt.Sprintf("k%03d", i)), Value: make([]byte, state.MaxTxnBytes/state.MaxTxnOps-4)})
	}
	long := state.Key(strings.Repeat("x", state.MaxKeyBytes))
	for _, c := range []struct {
		name string
		txn  state.Txn
	}{
		{"operations", state.Txn{Put: full.Put, Delete: []state.Key{"x"}}},
		{"bytes", state.Txn{Put: []state.Put{{Key: "a", Value: make([]byte, state.MaxTxnBytes)}}}},
		{"key", state.Txn{Delete: []state.Key{long + "x"}}},
	} {
		if _, err := s.Commit(s.ctx, c.txn); !errors.Is(err, state.ErrTooLarge) {
			s.Errorf("%s: got error %v, want ErrTooLarge", c.name, err)
		}
	}
	for _, t := range []state.Txn{puts("a=1", "a=2"), {Put: puts("a=1").Put, Delete: []state.Key{"a"}}, puts("=1")} {
		if _, err := s.Commit(s.ctx, t); err == nil {
			s.Errorf("%v was accepted", t)
		}
	}
	s.want(s, 0, "")
	_, err := s.Commit(s.ctx, full)
	s.ok(err)
	s.put(string(long) + "=1")
}

func testNotShared(s *suite) {
	value := []byte("1")
	_, err := s.Commit(s.ctx, state.Txn{Put: []state.Put{{Key: "a", Value: value}}})
	s.ok(err)
	value[0] = 'x'
	v, err := s.Read(s.ctx)
	s.ok(err)
	v.Records[0].Value[0] = 'y'
	s.want(s, 1, "a=1@1")
}

func testBytes(s *suite) {
	key := state.Key("a/\x00\xff\"[]")
	_, err := s.Commit(s.ctx, state.Txn{Put: []state.Put{{Key: key, Value: []byte{}}, {Key: "b", Value: []byte{0, 255}}}})
	s.ok(err)
	v, err := s.Read(s.ctx)
	s.ok(err)
	if len(v.Records) != 2 || v.Records[0].Key != key || len(v.Records[0].Value) != 0 || string(v.Records[1].Value) != "\x00\xff" {
		s.Errorf("got %+v", v.Records)
	}
	_, err = s.Commit(s.ctx, state.Txn{If: []state.Condition{{Key: key, Serial: 1}}, Delete: []state.Key{key}})
	s.ok(err)
}

func testClosed(s *suite) {
	s.put("a=1")
	s.ok(s.Close())
	s.ok(s.Close())
	_, err := s.Read(s.ctx)
	s.is(err, fs.ErrClosed)
	_, err = s.Commit(s.ctx, puts("a=2"))
	s.is(err, fs.ErrClosed)
	_, err = s.Lock(s.ctx, state.Holder{ID: "x"}, 0)
	s.is(err, fs.ErrClosed)
	_, err = s.Holder(s.ctx)
	s.is(err, fs.ErrClosed)
	s.is(s.BreakLock(s.ctx, "x"), fs.ErrClosed)
	for _, err := range s.Watch(s.ctx, 0) {
		s.is(err, fs.ErrClosed)
	}
}

func testContext(s *suite) {
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	_, err := s.Commit(ctx, puts("a=1"))
	s.is(err, context.Canceled)
	_, err = s.Read(ctx)
	s.is(err, context.Canceled)
	_, err = s.Lock(ctx, state.Holder{ID: "x"}, time.Minute)
	s.is(err, context.Canceled)
	s.want(s, 0, "")
}
