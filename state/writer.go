package state

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Writer writes the changes of many goroutines: what comes in while a transaction is on its way to the disk goes
// into the next one together. It starts no goroutine: one of those who wait commits for all.
//
// The first write that does not succeed ends it. After an unknown error nobody knows what is
// recorded, after ErrFenced somebody else is at work, and what could not be recorded must not be followed by
// remote calls that count on it. Every later Commit is refused with that first error.
type Writer struct {
	store Store
	epoch Epoch

	mu     sync.Mutex
	queue  []*commit
	busy   bool // somebody leads
	broken error
}

// commit is one caller's changes on their way.
type commit struct {
	changes Changes
	lead    chan struct{} // closed: this caller is the next to commit for all
	done    chan struct{} // closed: err is set
	err     error
}

// NewWriter returns a writer for the holder of the lock with this epoch.
func NewWriter(s Store, e Epoch) *Writer { return &Writer{store: s, epoch: e} }

// Err returns the error that ended the writer, or nil.
func (w *Writer) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.broken
}

// Commit returns nil once the changes are durable. The changes of one call are written together, unless
// they are more than one transaction holds (see Changes.Txn), and after those of calls that returned
// before. It is safe for concurrent use.
//
// When ctx ends while the changes still wait for their turn, nothing of them is written. Once they are on their
// way the outcome is waited for: it is bounded by the store.
func (w *Writer) Commit(ctx context.Context, c Changes) error {
	if c.err != nil {
		return c.err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	me := &commit{changes: c, lead: make(chan struct{}), done: make(chan struct{})}
	if err := w.enter(me); err != nil || c.Len() == 0 {
		return err
	}
	select {
	case <-me.done:
		return me.err
	case <-me.lead:
	case <-ctx.Done():
		if w.withdraw(me) {
			return ctx.Err()
		}
		select {
		case <-me.done:
			return me.err
		case <-me.lead:
		}
	}
	w.commit(ctx)
	return me.err
}

// enter puts a commit in the queue, and makes its caller the leader where there is none.
func (w *Writer) enter(me *commit) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.refusal()
	}
	if me.changes.Len() == 0 {
		return nil
	}
	w.queue = append(w.queue, me)
	if !w.busy {
		w.busy = true
		close(me.lead)
	}
	return nil
}

// withdraw takes a commit out of the queue; false where it is on its way or its caller is to lead.
func (w *Writer) withdraw(me *commit) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	select {
	case <-me.lead:
		return false
	default:
	}
	i := slices.Index(w.queue, me)
	if i < 0 {
		return false
	}
	w.queue = slices.Delete(w.queue, i, i+1)
	return true
}

// commit writes what waits, as much as one transaction holds, and hands the lead on. The leader's own
// commit is always the first in the queue.
func (w *Writer) commit(ctx context.Context) {
	w.mu.Lock()
	batch, merged := w.take()
	w.mu.Unlock()

	// The leader writes for others too: its own ctx must not cut theirs off.
	err := w.write(context.WithoutCancel(ctx), merged)

	w.mu.Lock()
	defer w.mu.Unlock()
	finish(batch, err)
	if err != nil {
		w.broken = err
		finish(w.queue, w.refusal())
		w.queue = nil
	}
	w.busy = len(w.queue) > 0
	if w.busy {
		close(w.queue[0].lead)
	}
}

// take removes from the queue what fits one transaction, at least one commit.
func (w *Writer) take() (batch []*commit, merged Changes) {
	ops, size, n := 0, 0, 0
	for _, c := range w.queue {
		ops += len(c.changes.ops)
		for _, o := range c.changes.ops {
			size += o.size()
		}
		if n > 0 && (ops > MaxTxnOps || size > MaxTxnBytes) {
			break
		}
		n++
	}
	batch = slices.Clone(w.queue[:n])
	w.queue = slices.Delete(w.queue, 0, n)
	if n == 1 {
		return batch, batch[0].changes
	}
	for _, c := range batch {
		merged.merge(c.changes)
	}
	return batch, merged
}

// write commits the changes.
func (w *Writer) write(ctx context.Context, c Changes) error {
	txns, err := c.Txn(w.epoch)
	if err != nil {
		return err
	}
	for _, t := range txns {
		if _, err := w.store.Commit(ctx, t); err != nil {
			return fmt.Errorf("write the state: %w", err)
		}
	}
	return nil
}

// finish tells the callers how it ended.
func finish(batch []*commit, err error) {
	for _, c := range batch {
		c.err = err
		close(c.done)
	}
}

// refusal is the error of every commit after the one that did not succeed.
func (w *Writer) refusal() error {
	return fmt.Errorf("not written, since an earlier write did not succeed: %w", w.broken)
}
