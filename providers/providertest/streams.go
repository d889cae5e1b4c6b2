package providertest

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// logs returns the text of a container's lines so far.
func (b *bench) logs(t *testing.T, id string, tail int) (all []string) {
	t.Helper()
	err := b.Engine.Logs(b.ctx, id, providers.LogOptions{Tail: tail}, func(l providers.LogLine) error {
		all = append(all, l.Text)
		return nil
	})
	ok(t, "logs", err)
	return all
}

func testLogs(t *testing.T, b *bench) {
	id := b.started(t, command("print", "one", "", "  three", "four\r"))
	b.ends(t, id)
	all := b.logs(t, id, -1)
	if d := cmp.Diff([]string{"one", "", "  three", "four"}, trimReturns(all)); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"  three", "four"}, trimReturns(b.logs(t, id, 2))); d != "" {
		t.Errorf("the last two (-want +got):\n%s", d)
	}
	if got := b.logs(t, id, 0); len(got) != 0 {
		t.Errorf("the last none: got %q", got)
	}
	both := b.started(t, slot(1), command("both", "0"))
	b.ends(t, both)
	streams := map[string]bool{}
	var at time.Time
	err := b.Engine.Logs(b.ctx, both, providers.LogOptions{Tail: -1}, func(l providers.LogLine) error {
		streams[l.Text], at = l.Stderr, l.Time
		return nil
	})
	ok(t, "logs", err)
	if d := cmp.Diff(map[string]bool{"to stdout": false, "to stderr": true}, streams); d != "" {
		t.Errorf("on stderr (-want +got):\n%s", d)
	}
	if at.IsZero() {
		t.Error("lines have no time")
	}
	err = b.Engine.Logs(b.ctx, both, providers.LogOptions{Tail: -1, Since: at.Add(time.Hour)}, func(l providers.LogLine) error {
		t.Errorf("since an hour after the end: got %q", l.Text)
		return nil
	})
	ok(t, "logs", err)
	long := b.started(t, slot(2), command("long", "50000"))
	b.ends(t, long)
	if got := b.logs(t, long, -1); len(got) != 1 || got[0] != strings.Repeat("x", 50000) {
		t.Errorf("a long line came as %d lines", len(got))
	}
	enough := errors.New("enough")
	if err := b.Engine.Logs(b.ctx, id, providers.LogOptions{Tail: -1}, func(providers.LogLine) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v, want emit's own error", err)
	}
}

func trimReturns(lines []string) []string {
	var out []string
	for _, l := range lines {
		out = append(out, strings.TrimSuffix(l, "\r"))
	}
	return out
}

func testFollowLogs(t *testing.T, b *bench) {
	id := b.started(t)
	var lines []string
	err := b.Engine.Logs(b.ctx, id, providers.LogOptions{Follow: true, Tail: -1}, func(l providers.LogLine) error {
		lines = append(lines, l.Text)
		switch l.Text {
		case "serving":
			return b.Engine.Signal(b.ctx, id, "USR1")
		case "signalled":
			go func() { _ = b.Engine.Stop(b.ctx, id, "", 10*time.Second) }() // ends the stream, which is what is looked at
		}
		return nil
	})
	ok(t, "follow to the end", err)
	if d := cmp.Diff([]string{"serving", "signalled", "goodbye"}, lines); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
	b.ends(t, id)
	quiet := b.started(t, slot(1))
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	err = b.Engine.Logs(ctx, quiet, providers.LogOptions{Follow: true, Tail: -1}, func(providers.LogLine) error {
		cancel()
		return nil
	})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("follow until cancelled: got %v", err)
	}
}

func testExec(t *testing.T, b *bench) {
	id := b.created(t)
	_, err := b.Engine.Exec(b.ctx, id, providers.ExecRequest{Command: []string{"/probe", "exit", "0"}})
	want(t, "before it runs", err, providers.ErrNotRunning)
	ok(t, "start", b.Engine.Start(b.ctx, id))
	status, stdout, stderr := b.run(t, id, "both", "7")
	if status != 7 || stdout != "to stdout\n" || stderr != "to stderr\n" {
		t.Errorf("got %d, %q, %q", status, stdout, stderr)
	}
	for _, in := range []string{"", "through\nand through", strings.Repeat("0123456789", 50_000)} {
		var out strings.Builder
		status, err := b.Engine.Exec(b.ctx, id, providers.ExecRequest{
			Command: []string{"/probe", "echo"}, Stdin: strings.NewReader(in), Stdout: &out,
		})
		if err != nil || status != 0 || out.String() != in {
			t.Errorf("echo of %d bytes: %d bytes, status %d, %v", len(in), out.Len(), status, err)
		}
	}
	var out strings.Builder
	sizes := make(chan providers.TerminalSize, 1)
	sizes <- providers.TerminalSize{Rows: 30, Columns: 100}
	close(sizes)
	status, err = b.Engine.Exec(b.ctx, id, providers.ExecRequest{
		Command: []string{"/probe", "tty"}, TTY: true, Stdin: strings.NewReader(""), Stdout: &out, Resize: sizes,
	})
	if err != nil || status != 0 || strings.TrimSpace(out.String()) != "true" {
		t.Errorf("on a terminal: %d, %v, %q", status, err, out.String())
	}
	status, err = b.Engine.Exec(b.ctx, id, providers.ExecRequest{Command: []string{"/probe", "exit", "3"}})
	if err != nil || status != 3 {
		t.Errorf("without streams: %d, %v", status, err)
	}
	ctx, cancel := context.WithTimeout(b.ctx, 300*time.Millisecond)
	defer cancel()
	input, hold := io.Pipe()
	defer hold.Close()
	go func() {
		<-ctx.Done()
		hold.Close()
	}()
	if _, err := b.Engine.Exec(ctx, id, providers.ExecRequest{Command: []string{"/probe", "echo"}, Stdin: input}); err == nil {
		t.Error("a command that was cut off has a status")
	}
}

func testCancelled(t *testing.T, b *bench) {
	id := b.started(t)
	ctx, cancel := context.WithCancel(b.ctx)
	cancel()
	reads := map[string]func() error{
		"observe": func() error { _, err := b.Engine.Observe(ctx, providers.Query{}); return err },
		"inspect": func() error { _, err := b.Engine.Inspect(ctx, id); return err },
		"find":    func() error { _, err := b.Engine.FindName(ctx, "x"); return err },
		"events": func() error {
			return b.Engine.Events(ctx, providers.EventQuery{Fleet: b.fleet}, func(fleet.Event) error { return nil })
		},
		"logs": func() error {
			return b.Engine.Logs(ctx, id, providers.LogOptions{}, func(providers.LogLine) error { return nil })
		},
	}
	for what, do := range reads {
		if err := do(); !errors.Is(err, context.Canceled) || errors.Is(err, providers.ErrNotFound) {
			t.Errorf("%s: got %v, want the context's error", what, err)
		}
	}
	changes := map[string]func() error{
		"create":         func() error { _, err := b.Engine.Create(ctx, b.request(slot(1))); return err },
		"start":          func() error { return b.Engine.Start(ctx, id) },
		"stop":           func() error { return b.Engine.Stop(ctx, id, "", time.Second) },
		"remove":         func() error { return b.Engine.Remove(ctx, id) },
		"update":         func() error { return b.Engine.Update(ctx, id, fleet.Limits{}, fleet.RestartNo) },
		"signal":         func() error { return b.Engine.Signal(ctx, id, "HUP") },
		"create network": func() error { return b.Engine.CreateNetwork(ctx, b.networkRequest(string(b.name)+"-n")) },
	}
	for what, do := range changes {
		if err := do(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want the context's error", what, err)
		}
	}
	if got := b.inspect(t, id).Phase; got != fleet.PhaseRunning {
		t.Errorf("the container is %s", got)
	}
}

func testMany(t *testing.T, b *bench) {
	var wg sync.WaitGroup
	const n = 8
	for i := range n {
		wg.Go(func() {
			id, err := b.Engine.Create(b.ctx, b.request(slot(i)))
			if err == nil {
				err = b.Engine.Start(b.ctx, id)
			}
			if err == nil {
				_, err = b.Engine.Observe(b.ctx, providers.Query{Fleet: b.fleet})
			}
			ok(t, "create, start and observe", err)
		})
	}
	wg.Wait()
	if got := len(b.observe(t).Containers); got != n {
		t.Errorf("%d containers, want %d", got, n)
	}
	same := make(chan string, n)
	for range n {
		wg.Go(func() {
			id, err := b.Engine.Create(b.ctx, b.request(slot(n)))
			ok(t, "create the same", err)
			same <- id
		})
	}
	wg.Wait()
	close(same)
	first := <-same
	for id := range same {
		if id != first {
			t.Errorf("one replica became two: %s and %s", first, id)
		}
	}
}
