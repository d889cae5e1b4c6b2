package providertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// watcher keeps what a stream of events tells.
type watcher struct {
	cancel context.CancelFunc
	ended  chan error

	mu   sync.Mutex
	told []fleet.Event
}

// watch opens a stream and waits for its first event, which has to be of the kind. The test ends the stream.
func (b *bench) watch(t *testing.T, since string, first fleet.EventKind) *watcher {
	t.Helper()
	ctx, cancel := context.WithCancel(b.ctx)
	w := &watcher{cancel: cancel, ended: make(chan error, 1)}
	begun := make(chan struct{}, 1)
	go func() {
		w.ended <- b.Engine.Events(ctx, providers.EventQuery{Fleet: b.fleet, Since: since}, func(ev fleet.Event) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.told = append(w.told, ev)
			select {
			case begun <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	select {
	case <-begun:
	case err := <-w.ended:
		t.Fatalf("the stream ends before it begins: %v", err)
	case <-b.ctx.Done():
		t.Fatal("the stream does not begin")
	}
	t.Cleanup(cancel)
	if got := w.events()[0]; got.Kind != first || got.ID != "" || (got.Why == "") != (first == fleet.EventResumed) {
		t.Errorf("the stream begins with %+v, want %s", got, first)
	}
	return w
}

func (w *watcher) events() []fleet.Event {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.told)
}

// lines spells what was told after the first event, each event once.
func (w *watcher) lines() (all []string) {
	seen := map[string]bool{}
	for _, ev := range w.events()[1:] {
		if ev.Cursor == "" || !seen[ev.Cursor] {
			all = append(all, line(ev))
		}
		seen[ev.Cursor] = true
	}
	return all
}

func line(ev fleet.Event) string {
	s := fmt.Sprintf("%s[%d] %s", ev.Identity.Replica.Workload, ev.Identity.Replica.Slot, ev.Kind)
	if ev.Kind == fleet.EventDie {
		s += fmt.Sprint(" ", ev.ExitCode)
	}
	return s
}

// hears waits until the stream has told as many events as there are in want, and compares them.
func (b *bench) hears(t *testing.T, w *watcher, want ...string) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	for waiting := true; waiting && len(w.lines()) < len(want); {
		select {
		case <-tick.C:
		case <-limit.C:
			waiting = false
		}
	}
	if d := cmp.Diff(want, w.lines()); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}

// last is the cursor to go on from.
func (w *watcher) last() string {
	all := w.events()
	return all[len(all)-1].Cursor
}

// stop ends a stream by its context.
func (b *bench) stop(t *testing.T, w *watcher) {
	t.Helper()
	w.cancel()
	if err := b.comesTo(t, "a stream whose context ended", w.ended); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// lost waits for the end of a stream that something else ended.
func (b *bench) lost(t *testing.T, w *watcher) {
	t.Helper()
	want(t, "the stream", b.comesTo(t, "a stream that was lost", w.ended), providers.ErrUnreachable)
}

func testEvents(t *testing.T, b *bench) {
	w := b.watch(t, "", fleet.EventGap)
	other := b.stranger()
	id := b.started(t)
	strange := other.started(t, slot(5))
	ok(t, "stop", b.Engine.Stop(b.ctx, id, "", 10*time.Second))
	ok(t, "start again", b.Engine.Start(b.ctx, id))
	ok(t, "pause", b.Pause(b.ctx, id))
	ok(t, "unpause", b.Engine.Unpause(b.ctx, id))
	ok(t, "update", b.Engine.Update(b.ctx, id, fleet.Limits{PidsLimit: 100}, fleet.RestartNo))
	ok(t, "rename", b.Engine.Rename(b.ctx, id, string(b.name)+"-else"))
	ok(t, "remove the stranger's", b.Engine.Remove(b.ctx, strange))
	ok(t, "remove", b.Engine.Remove(b.ctx, id))
	b.hears(t, w, "web[0] create", "web[0] start", "web[0] die 0", "web[0] stop", "web[0] start", "web[0] pause", "web[0] unpause",
		"web[0] update", "web[0] rename", "web[0] die 137", "web[0] destroy")
	cursors := map[string]bool{}
	for i, ev := range w.events()[1:] {
		name := b.request().Instance.ContainerName()
		if ev.Kind == fleet.EventRename || i > 8 {
			name = string(b.name) + "-else"
		}
		if ev.ID != id || ev.Name != name || ev.Identity.Fleet != b.fleet || ev.Identity.Generation != 1 || ev.Time.IsZero() {
			t.Errorf("event %d: %+v", i, ev)
		}
		if ev.Cursor == "" || cursors[ev.Cursor] {
			t.Errorf("event %d has no cursor of its own: %q", i, ev.Cursor)
		}
		cursors[ev.Cursor] = true
	}
	b.stop(t, w)
}

func testEventsEnd(t *testing.T, b *bench) {
	enough := errors.New("enough")
	err := b.Engine.Events(b.ctx, providers.EventQuery{Fleet: b.fleet}, func(fleet.Event) error { return enough })
	if err != enough {
		t.Errorf("got %v, want emit's own error", err)
	}
	for _, since := range []string{"", "nonsense", "docker1:1:x", "fake:7:0", "docker1:99999999999999999999:x", strings.Repeat(":", 1000)} {
		err := b.Engine.Events(b.ctx, providers.EventQuery{Fleet: b.fleet, Since: since}, func(ev fleet.Event) error {
			if ev.Kind != fleet.EventGap {
				t.Errorf("since %q begins with %s", since, ev.Kind)
			}
			return enough
		})
		if err != enough {
			t.Errorf("since %q: got %v", since, err)
		}
	}
	// A context that ends while emit is at work, with more to come.
	w := b.watch(t, "", fleet.EventGap)
	b.created(t)
	b.hears(t, w, "web[0] create")
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	told := 0
	err = b.Engine.Events(ctx, providers.EventQuery{Fleet: b.fleet, Since: w.last()}, func(fleet.Event) error {
		told++
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || told != 1 {
		t.Errorf("got %v after %d events, want the context's error after one", err, told)
	}
	b.stop(t, w)
}

// What happens while no stream stands is told by the next one.
func testEventsResume(t *testing.T, b *bench) {
	idle := b.watch(t, "", fleet.EventGap)
	anchor := idle.last()
	if anchor == "" {
		t.Error("an engine on which much has happened gives nothing to go on from")
	}
	b.CutEvents(t)
	b.lost(t, idle)
	id := b.created(t)
	w := b.watch(t, anchor, fleet.EventResumed)
	b.hears(t, w, "web[0] create")
	ok(t, "start", b.Engine.Start(b.ctx, id))
	b.hears(t, w, "web[0] create", "web[0] start")
	for _, middle := range w.events()[1:] {
		if middle.Kind == fleet.EventCreate { // dealt with this far only
			anchor = middle.Cursor
		}
	}
	b.CutEvents(t)
	b.lost(t, w)
	ok(t, "stop", b.Engine.Stop(b.ctx, id, "", 10*time.Second))
	again := b.watch(t, anchor, fleet.EventResumed)
	b.hears(t, again, "web[0] start", "web[0] die 0", "web[0] stop")
	ok(t, "remove", b.Engine.Remove(b.ctx, id))
	b.hears(t, again, "web[0] start", "web[0] die 0", "web[0] stop", "web[0] destroy")
	b.stop(t, again)
	last := b.watch(t, again.last(), fleet.EventResumed)
	b.created(t, slot(1))
	for _, l := range last.lines() {
		if l == "web[0] destroy" {
			t.Error("the cursor's own event came again")
		}
	}
	b.stop(t, last)
}

// An engine that was started anew, or has forgotten, says that something may be lost.
func testEventsGap(t *testing.T, b *bench) {
	w := b.watch(t, "", fleet.EventGap)
	id := b.started(t)
	b.hears(t, w, "web[0] create", "web[0] start")
	since := w.last()
	ok(t, "restart the engine", b.RestartEngine(b.ctx))
	b.lost(t, w)
	w = b.watch(t, since, fleet.EventGap)
	ok(t, "remove", b.Engine.Remove(b.ctx, id))
	b.eventually(t, "what comes after the gap is told", func() bool {
		lines := w.lines()
		return len(lines) > 0 && lines[len(lines)-1] == "web[0] destroy"
	})
	since = w.last()
	b.stop(t, w)
	b.stop(t, b.watch(t, since, fleet.EventResumed))

	busy := b.stranger()
	other := busy.created(t, slot(7))
	for i := range 260 { // more than any engine remembers
		ok(t, "rename", b.Engine.Rename(b.ctx, other, fmt.Sprintf("%s-%d", b.name, i)))
	}
	b.stop(t, b.watch(t, since, fleet.EventGap))
}
