package fake_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/fake"
)

// following is an open stream of the fleet's events on h1.
type following struct {
	told  []fleet.Event
	lines []string
	err   error
	ended bool
}

// follow opens a stream in a bubble; what it tells is there after synctest.Wait.
func follow(ctx context.Context, e providers.Engine, since string) *following {
	f := &following{}
	go func() {
		f.err = e.Events(ctx, providers.EventQuery{Fleet: id, Since: since}, func(ev fleet.Event) error {
			f.told = append(f.told, ev)
			line := fmt.Sprintf("%s %s %s", ev.Kind, strings.TrimPrefix(ev.Name, "shop-"), ev.Health)
			if ev.Kind == fleet.EventDie {
				line += fmt.Sprint(ev.ExitCode)
			}
			f.lines = append(f.lines, strings.TrimSpace(line))
			return nil
		})
		f.ended = true
	}()
	synctest.Wait()
	return f
}

// add makes and starts a container of ours.
func add(t *testing.T, e providers.Engine, restart fleet.Restart) {
	t.Helper()
	r := request(0)
	r.Spec.Restart = restart
	made, err := e.Create(t.Context(), r)
	if err == nil {
		err = e.Start(t.Context(), made)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (f *following) wants(t *testing.T, want ...string) {
	t.Helper()
	synctest.Wait()
	if d := cmp.Diff(want, f.lines); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

func (f *following) wantsEnd(t *testing.T, class error) {
	t.Helper()
	synctest.Wait()
	if !f.ended || !errors.Is(f.err, class) {
		t.Errorf("ended %t with %v, want %v", f.ended, f.err, class)
	}
}

func inBubble(t *testing.T, test func(*testing.T, *fake.Host, providers.Engine)) {
	synctest.Test(t, func(t *testing.T) {
		w := fake.NewWorld(time.Now, "h1")
		w.Host("h1").AddImage("web:1", fake.NewImage("web"))
		test(t, w.Host("h1"), connect(t, w, "h1"))
	})
}

// What happens behind our back is told, with the time by the world's clock.
func TestEventsOfAccidents(t *testing.T) {
	inBubble(t, func(t *testing.T, h *fake.Host, e providers.Engine) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		f := follow(ctx, e, "")
		add(t, e, fleet.RestartAlways)
		time.Sleep(time.Hour)
		h.AddForeign(fake.Foreign{Name: "theirs"})
		h.Crash("shop-web-0-g1", 3)
		h.OOM("shop-web-0-g1")
		h.SetHealth("shop-web-0-g1", "unhealthy")
		h.SetHealth("shop-web-0-g1", "unhealthy")
		h.Kill("shop-web-0-g1")
		h.Start("shop-web-0-g1")
		h.Pause("shop-web-0-g1")
		h.Rename("shop-web-0-g1", "other")
		h.Update("other", fleet.Limits{}, fleet.RestartNo)
		h.Remove("other")
		f.wants(t, "gap", "create web-0-g1", "start web-0-g1", "die web-0-g1 3", "start web-0-g1", "oom web-0-g1", "die web-0-g1 137", "start web-0-g1",
			"health web-0-g1 unhealthy", "die web-0-g1 137", "start web-0-g1", "pause web-0-g1", "rename other", "update other", "die other 137", "destroy other")
		if got := f.told[3].Time.Sub(f.told[2].Time); got != time.Hour {
			t.Errorf("it died %v after its start", got)
		}
		cancel()
		f.wantsEnd(t, context.Canceled)
	})
}

// Every way in which a stream goes wrong.
func TestEventsFaults(t *testing.T) {
	inBubble(t, func(t *testing.T, h *fake.Host, e providers.Engine) {
		f := follow(t.Context(), e, "")
		h.HoldEvents(true)
		add(t, e, fleet.RestartNo)
		f.wants(t, "gap")
		h.HoldEvents(false)
		f.wants(t, "gap", "create web-0-g1", "start web-0-g1")
		h.RepeatEvents(true)
		h.Kill("shop-web-0-g1")
		f.wants(t, "gap", "create web-0-g1", "start web-0-g1", "die web-0-g1 137", "die web-0-g1 137")
		if f.told[3] != f.told[4] || f.told[2].Cursor == f.told[3].Cursor {
			t.Errorf("%+v came again as %+v", f.told[3], f.told[4])
		}
		h.RepeatEvents(false)
		since := f.told[4].Cursor
		h.LoseEvents()
		h.Start("shop-web-0-g1")
		f.wants(t, "gap", "create web-0-g1", "start web-0-g1", "die web-0-g1 137", "die web-0-g1 137", "gap", "start web-0-g1")
		h.CutEvents()
		f.wantsEnd(t, providers.ErrUnreachable)
		f = follow(t.Context(), e, since)
		f.wants(t, "gap")
		h.Kill("shop-web-0-g1")
		f.wants(t, "gap", "die web-0-g1 137")
		since = f.told[1].Cursor
		h.SetDown(true)
		f.wantsEnd(t, providers.ErrUnreachable)
		h.Start("shop-web-0-g1")
		h.SetDown(false)
		f = follow(t.Context(), e, since)
		f.wants(t, "resumed", "start web-0-g1")
		since = f.told[1].Cursor
		h.Reboot()
		f.wantsEnd(t, providers.ErrUnreachable)
		f = follow(t.Context(), e, since)
		f.wants(t, "gap")
		e.Close()
		f.wantsEnd(t, providers.ErrUnreachable)
	})
}

// The engine remembers as many events as Docker does, and those held back are none that a cursor can name.
func TestEventsRemembered(t *testing.T) {
	inBubble(t, func(t *testing.T, h *fake.Host, e providers.Engine) {
		f := follow(t.Context(), e, "")
		add(t, e, fleet.RestartNo)
		f.wants(t, "gap", "create web-0-g1", "start web-0-g1")
		since := f.told[2].Cursor
		h.CutEvents()
		for range 128 {
			h.Kill("shop-web-0-g1")
			h.Start("shop-web-0-g1")
		}
		if f = follow(t.Context(), e, since); f.lines[0] != "resumed" || len(f.lines) != 257 {
			t.Errorf("after 256 events: %s and %d more", f.lines[0], len(f.lines)-1)
		}
		h.CutEvents()
		h.Kill("shop-web-0-g1")
		f = follow(t.Context(), e, since)
		f.wants(t, "gap")
		h.CutEvents()
		synctest.Wait()
	})
}
