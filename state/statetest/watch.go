package statetest

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/state"
)

// follow writes the events of a watch as text, "1:a=1 2:-a", until the event with serial last.
func (s *suite) follow(in state.Store, after, last state.Serial, count int) string {
	s.Helper()
	var out []string
	for e, err := range in.Watch(s.ctx, after) {
		s.ok(err)
		if e.Value == nil {
			out = append(out, fmt.Sprintf("%d:-%s", e.Serial, e.Key))
		} else {
			out = append(out, fmt.Sprintf("%d:%s=%s", e.Serial, e.Key, e.Value))
		}
		if e.Serial == last && len(out) >= count {
			return strings.Join(out, " ")
		}
	}
	s.Fatalf("the watch ended after %v", out)
	return ""
}

func testWatch(s *suite) {
	other := s.reopen()
	got := make(chan string, 1)
	started := make(chan bool)
	go func() {
		var out []string
		for e, err := range other.Watch(s.ctx, 0) {
			if err != nil {
				out = append(out, err.Error())
				break
			}
			out = append(out, fmt.Sprintf("%d:%s", e.Serial, e.Key))
			if len(out) == 1 {
				close(started)
			}
			if e.Serial == 4 {
				break
			}
		}
		got <- strings.Join(out, " ")
	}()
	s.put("a=1")
	<-started // what follows is seen by a watch that is under way
	s.put("c=1")
	s.put("b=1")
	s.put("d=1")
	if diff := cmp.Diff("1:a 2:c 3:b 4:d", <-got); diff != "" {
		s.Errorf("events (-want +got):\n%s", diff)
	}
}

func testWatchAfter(s *suite) {
	s.put("a=1", "b=1")
	_, err := s.Commit(s.ctx, state.Txn{Delete: []state.Key{"a"}, Put: puts("e=").Put})
	s.ok(err)
	s.put("b=2", "c=1")
	want := "2:-a 2:e= 3:b=2 3:c=1"
	if diff := cmp.Diff(want, s.follow(s, 1, 3, 4)); diff != "" {
		s.Errorf("events (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, s.follow(s.reopen(), 1, 3, 4)); diff != "" {
		s.Errorf("events of another store (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff("3:b=2 3:c=1", s.follow(s, 2, 3, 2)); diff != "" {
		s.Errorf("events after 2 (-want +got):\n%s", diff)
	}
}

// testWatchCompacted watches from a serial that the store has not reached: it is another store's, or from
// before a copy was restored.
func testWatchCompacted(s *suite) {
	s.put("a=1")
	for _, err := range s.Watch(s.ctx, 7) {
		s.is(err, state.ErrCompacted)
		return
	}
	s.Error("the watch ended without an error")
}

func testWatchEnds(s *suite) {
	s.put("a=1")
	ctx, cancel := context.WithCancel(s.ctx)
	defer cancel()
	n := 0
	for _, err := range s.Watch(ctx, 0) {
		s.ok(err)
		n++
		cancel()
	}
	if n != 1 {
		s.Errorf("%d events, want 1", n)
	}
	done := make(chan error, 1)
	other := s.reopen()
	go func() {
		var last error
		for _, err := range other.Watch(s.ctx, 1) {
			last = err
		}
		done <- last
	}()
	s.ok(other.Close())
	if err := <-done; err == nil || errors.Is(err, context.DeadlineExceeded) {
		s.Errorf("after Close: %v", err)
	}
}
