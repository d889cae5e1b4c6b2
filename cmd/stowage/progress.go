package main

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/docker/go-units"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/internal/plaintext"
	"github.com/stowage-run/stowage/plan"
)

// progress shows an apply while it runs: on a terminal the steps under way on one line that is written over, on a pipe
// plain lines, with -json one object a line.
type progress struct {
	s     *session
	json  *jsonStream
	total int

	mu      sync.Mutex // guards what follows
	done    int
	running map[int]apply.Event
	drawn   bool // the live line is on the screen
}

func newProgress(s *session, p *plan.Plan, asJSON bool) *progress {
	g := &progress{s: s, total: len(p.Steps), running: map[int]apply.Event{}}
	if asJSON {
		g.json = newJSONStream(s.out, s.now)
	}
	return g
}

// doing is how each kind of step is spoken of while it runs and once it is done.
func doing(k plan.Kind) (words [2]string, ok bool) {
	words, ok = map[plan.Kind][2]string{
		plan.KindPull: {"Pulling image", "Pulled"}, plan.KindSend: {"Sending image", "Sent"},
		plan.KindCreateNetwork: {"Creating", "Creation complete"}, plan.KindRemoveNetwork: {"Destroying", "Destruction complete"},
		plan.KindCreateVolume: {"Creating", "Creation complete"}, plan.KindRemoveVolume: {"Destroying", "Destruction complete"},
		plan.KindRun: {"Creating", "Creation complete"}, plan.KindStart: {"Starting", "Started"}, plan.KindStop: {"Stopping", "Stopped"},
		plan.KindRemove: {"Destroying", "Destruction complete"}, plan.KindUnpause: {"Unpausing", "Unpaused"},
		plan.KindRename: {"Renaming", "Renamed"}, plan.KindConnect: {"Connecting", "Connected"}, plan.KindDisconnect: {"Disconnecting", "Disconnected"},
		plan.KindUpdate: {"Modifying", "Modification complete"}, plan.KindWriteFiles: {"Writing files", "Files written"}, plan.KindSignal: {"Signalling", "Signalled"},
		plan.KindGate: {"Waiting until healthy", "Healthy"}, plan.KindComplete: {"Waiting until complete", "Complete"},
	}[k]
	return words, ok
}

// event shows one event. It is called by one goroutine at a time.
func (g *progress) event(e apply.Event) {
	if g.json != nil {
		g.json.event(e)
		return
	}
	words, shown := doing(e.Action)
	if !shown {
		return // record-only steps are not worth a line
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	c := g.s.color()
	where := fmt.Sprintf("%s on %s", c.bold(string(e.Addr)), e.Host)
	switch e.Kind {
	case apply.EventStarted:
		g.running[e.Step] = e
		g.line("%s: %s...", where, words[0])
	case apply.EventStill:
		g.line("%s: Still %s... [%s elapsed]", where, lower(words[0]), e.Elapsed.Round(time.Second))
	case apply.EventProgress:
		g.running[e.Step] = e
	case apply.EventOutput:
		g.line("%s | %s", c.bold(string(e.Addr)), plaintext.Line(e.Text))
	case apply.EventRetry:
		g.line("%s: %s again: %s", where, words[0], plaintext.Line(e.Err.Error()))
	case apply.EventDone:
		g.done++
		delete(g.running, e.Step)
		id := ""
		if len(e.ID) >= 12 {
			id = fmt.Sprintf(" [id=%s]", e.ID[:12])
		}
		g.line("%s: %s after %s%s", where, words[1], e.Elapsed.Round(100*time.Millisecond), id)
	case apply.EventFailed, apply.EventUnknown:
		delete(g.running, e.Step)
		g.line("%s: %s %s", where, c.red(string(e.Kind)+":"), plaintext.Line(e.Err.Error()))
	}
	g.draw()
}

func lower(s string) string { return string(s[0]|0x20) + s[1:] }

// line writes a line above the live one.
func (g *progress) line(format string, args ...any) {
	g.wipe()
	fmt.Fprintf(g.s.out, format+"\n", args...)
}

// draw writes the live line: how far it is, and what a transfer has brought.
func (g *progress) draw() {
	if !g.s.outTTY {
		return
	}
	g.wipe()
	text := fmt.Sprintf("%d/%d steps, %d under way", g.done, g.total, len(g.running))
	for _, step := range slices.Sorted(maps.Keys(g.running)) {
		if e := g.running[step]; e.Bytes > 0 {
			text += fmt.Sprintf("; %s %s", e.Host, units.BytesSize(float64(e.Bytes)))
			break
		}
	}
	if w := g.s.width(); w > 0 && len(text) >= w {
		text = text[:w-1]
	}
	fmt.Fprint(g.s.out, g.s.color().dim(text))
	g.drawn = true
}

// wipe takes the live line off the screen.
func (g *progress) wipe() {
	if g.drawn {
		fmt.Fprint(g.s.out, "\r\x1b[K")
		g.drawn = false
	}
}

// close leaves the screen as plain lines.
func (g *progress) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.wipe()
}
