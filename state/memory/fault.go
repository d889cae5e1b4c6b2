package memory

import (
	"sync"

	"github.com/stowage-run/stowage/state"
)

// faults makes commits go wrong. The hooks are set before the store is used.
type faults struct {
	// BeforeCommit is called before each commit; an error is the commit's, and nothing is written. It
	// may call the store, Crash too.
	BeforeCommit func(state.Txn) error
	// AfterCommit is called after each commit that was written; an error is the commit's all the same, as
	// when the answer of a store gets lost.
	AfterCommit func(state.Txn) error

	mu    sync.Mutex
	count int // commits until err; 0: none
	err   error
}

// FailAt makes the nth commit from now, counted from 1, fail with err; nothing of it is written.
func (f *faults) FailAt(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count, f.err = n, err
}

// before is called ahead of each commit.
func (f *faults) before(t state.Txn) error {
	if err := f.next(); err != nil {
		return err
	}
	if f.BeforeCommit != nil {
		return f.BeforeCommit(t)
	}
	return nil
}

// next counts a commit.
func (f *faults) next() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == 0 {
		return nil
	}
	f.count--
	if f.count == 0 {
		return f.err
	}
	return nil
}

// after is called after each commit.
func (f *faults) after(t state.Txn) error {
	if f.AfterCommit != nil {
		return f.AfterCommit(t)
	}
	return nil
}
