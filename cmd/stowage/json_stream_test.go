package main

import (
	"errors"
	"testing"
	"time"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/plan"
)

// brimful takes one write and is full.
type brimful struct{ writes int }

var errFull = errors.New("full")

func (b *brimful) Write(p []byte) (int, error) {
	if b.writes++; b.writes > 1 {
		return 0, errFull
	}
	return len(p), nil
}

// Who reads only half of what a plan or an apply says must not be told that this was all.
func TestJSONStreamTellsOfTheFirstError(t *testing.T) {
	out := new(brimful)
	j := newJSONStream(out, time.Now)
	if err := j.plan(new(plan.Plan)); !errors.Is(err, errFull) {
		t.Errorf("plan: got %v, want what the write said", err)
	}
	j.event(apply.Event{Kind: apply.EventDone})
	if out.writes != 2 {
		t.Errorf("it went on after the error: %d writes", out.writes)
	}
	if err := newJSONStream(&brimful{writes: 1}, time.Now).report(new(apply.Report)); !errors.Is(err, errFull) {
		t.Errorf("report: got %v, want what the write said", err)
	}
}
