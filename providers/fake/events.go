package fake

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// eventsKept is how many events an engine remembers, those of strangers among them: as many as Docker does.
const eventsKept = 256

// journal is what an engine remembers of what happened. Its host's mutex guards it.
type journal struct {
	boot     int           // how often it was forgotten: a cursor from before leads nowhere
	first    int           // the number of kept[0]; the numbers go on when the journal is forgotten
	kept     []fleet.Event // of everybody's, without their cursors
	shown    int           // up to where streams may see: below the end while events are held back
	held     bool
	repeated bool
	changed  chan struct{} // closed when a stream has something to do
}

func newJournal() journal { return journal{first: 1, shown: 1, changed: make(chan struct{})} }

func (j *journal) end() int { return j.first + len(j.kept) }

func (j *journal) wake() {
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *journal) show() {
	if !j.held {
		j.shown = j.end()
	}
	j.wake()
}

// forget loses everything.
func (j *journal) forget() {
	j.boot++
	j.first, j.kept = j.end(), nil
	j.shown = j.first
	j.wake()
}

func (j *journal) cursor(n int) string { return fmt.Sprintf("fake:%d:%d", j.boot, n) }

// after is the number of the event after a cursor; ok is false where the journal does not reach back to it.
func (j *journal) after(cursor string) (next int, ok bool) {
	boot, number, found := strings.Cut(strings.TrimPrefix(cursor, "fake:"), ":")
	n, err := strconv.Atoi(number)
	if !found || err != nil || boot != strconv.Itoa(j.boot) || n+1 < j.first || n >= j.end() {
		return 0, false
	}
	return n + 1, true
}

// happened writes down what happened to a container.
func (h *Host) happened(c *container, kind fleet.EventKind, more ...func(*fleet.Event)) {
	j := &h.journal
	ev := fleet.Event{Kind: kind, Time: h.world.Now(), ID: c.seen.ID, Name: c.seen.Name, Identity: c.seen.Identity}
	for _, m := range more {
		m(&ev)
	}
	if len(j.kept) == eventsKept {
		j.kept = j.kept[1:]
		j.first++
		j.shown = max(j.shown, j.first)
	}
	j.kept = append(j.kept, ev)
	j.show()
}

// died writes down that a container's process ended.
func (h *Host) died(c *container, status int) {
	h.happened(c, fleet.EventDie, func(ev *fleet.Event) { ev.ExitCode = status })
}

// subscription is one open stream.
type subscription struct {
	fleet fleet.ID
	cuts  int // of its host, when it was opened
	boot  int
	next  int // the number of the event that comes next
}

func (e *engine) Events(ctx context.Context, q providers.EventQuery, emit func(fleet.Event) error) error {
	var s subscription
	var batch []fleet.Event
	err := e.do(ctx, OpEvents, "", func(h *Host) error {
		j := &h.journal
		s = subscription{fleet: q.Fleet, cuts: h.cuts, boot: j.boot, next: j.shown}
		first := fleet.Event{Kind: fleet.EventGap, Time: h.world.Now(), Why: "nothing is known of what happened before"}
		next, kept := j.after(q.Since)
		switch {
		case kept:
			s.next, first.Kind, first.Why, first.Cursor = next, fleet.EventResumed, "", q.Since
		case q.Since != "":
			first.Why = "the engine no longer remembers what happened since"
		case len(j.kept) > 0:
			first.Cursor = j.cursor(s.next - 1)
		}
		batch = []fleet.Event{first}
		return nil
	})
	for err == nil {
		for _, ev := range batch {
			if ctx.Err() != nil {
				return &providers.Error{Op: string(OpEvents), Err: ctx.Err()}
			}
			if err := emit(ev); err != nil {
				return err
			}
		}
		var changed <-chan struct{}
		batch, changed, err = e.more(&s)
		if len(batch) > 0 || err != nil {
			continue
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return &providers.Error{Op: string(OpEvents), Err: ctx.Err()}
		}
	}
	return err
}

// more returns the events that a stream has not told, or what to wait on, or why it ends.
func (e *engine) more(s *subscription) (batch []fleet.Event, changed <-chan struct{}, err error) {
	h := e.host
	h.mu.Lock()
	defer h.mu.Unlock()
	j := &h.journal
	if err := e.usable(); err != nil {
		return nil, nil, Call{Op: OpEvents}.error(err)
	}
	if s.cuts != h.cuts {
		return nil, nil, Call{Op: OpEvents}.error(classed(providers.ErrUnreachable, "the stream was cut"))
	}
	if s.boot != j.boot || s.next < j.first {
		s.boot, s.next = j.boot, j.first
		batch = append(batch, fleet.Event{Kind: fleet.EventGap, Time: h.world.Now(), Why: "more happened than is kept"})
	}
	for ; s.next < j.shown; s.next++ {
		if ev := j.kept[s.next-j.first]; ev.Identity.Fleet != "" && ev.Identity.Fleet == s.fleet {
			ev.Cursor = j.cursor(s.next)
			batch = append(batch, ev)
			if j.repeated {
				batch = append(batch, ev)
			}
		}
	}
	return batch, j.changed, nil
}

// The methods below are what goes wrong with streams of events. No hook sees them.

// CutEvents ends every open stream of events. The engine goes on remembering.
func (h *Host) CutEvents() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cuts++
	h.journal.wake()
}

// HoldEvents keeps events from streams until they are let go again, all at once, as a slow line does.
func (h *Host) HoldEvents(hold bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.journal.held = hold
	h.journal.show()
}

// RepeatEvents makes streams tell each event twice, or no longer.
func (h *Host) RepeatEvents(repeat bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.journal.repeated = repeat
}

// LoseEvents makes the engine forget all that happened, and what is held back: open streams tell a gap, and so do those that
// go on from an older cursor.
func (h *Host) LoseEvents() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.journal.forget()
}

// RestartEngine starts the engine anew while its containers run on: it forgets what happened, and every open stream ends.
func (h *Host) RestartEngine() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.restartEngine()
}

func (h *Host) restartEngine() {
	h.cuts++
	h.journal.forget()
	for _, c := range h.containers {
		c.wake()
	}
}

// Tick lets what comes to its end by itself end now, if its time has come. Every call on the engine does so too; a stream of
// events, on which nothing is called, tells of it no earlier.
func (h *Host) Tick() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.age()
}
