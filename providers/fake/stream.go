package fake

import (
	"context"
	"io"
	"strings"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

func (e *engine) Logs(ctx context.Context, id string, o providers.LogOptions, emit func(providers.LogLine) error) error {
	var c *container
	err := e.there(ctx, OpLogs, id, func(_ *Host, found *container) error {
		c = found
		return nil
	})
	if err != nil {
		return err
	}
	next := -1
	for {
		lines, at, changed, more := e.linesFrom(c, next, o)
		next = at
		for _, l := range lines {
			if err := ctx.Err(); err != nil {
				return &providers.Error{Op: string(OpLogs), Object: id, Err: err}
			}
			if err := emit(l); err != nil {
				return err
			}
		}
		if len(lines) > 0 {
			continue
		}
		if err := e.lost(); err != nil {
			return &providers.Error{Op: string(OpLogs), Object: id, Class: providers.ErrUnreachable, Err: err}
		}
		if !o.Follow || !more {
			return nil
		}
		select {
		case <-ctx.Done():
			return &providers.Error{Op: string(OpLogs), Object: id, Err: ctx.Err()}
		case <-changed:
		}
	}
}

// linesFrom returns the log from a line on, where -1 asks for the beginning as o has it, and what to
// wait on where more may come.
func (e *engine) linesFrom(c *container, from int, o providers.LogOptions) (lines []providers.LogLine, next int, changed <-chan struct{}, more bool) {
	e.host.mu.Lock()
	defer e.host.mu.Unlock()
	if from < 0 {
		from = 0
		if o.Tail >= 0 {
			from = max(0, len(c.log)-o.Tail)
		}
		for from < len(c.log) && c.log[from].Time.Before(o.Since) {
			from++
		}
	}
	return c.log[from:len(c.log):len(c.log)], len(c.log), c.changed, c.live() && !c.gone
}

// lost says why the connection no longer answers.
func (e *engine) lost() error {
	e.host.mu.Lock()
	defer e.host.mu.Unlock()
	return e.usable()
}

func (e *engine) Exec(ctx context.Context, id string, x providers.ExecRequest) (status int, err error) {
	var program Program
	p := Process{Args: x.Command, Exec: true, Stdin: x.Stdin, Stdout: x.Stdout, Stderr: x.Stderr}
	err = e.there(ctx, OpExec, id, func(h *Host, c *container) error {
		if c.seen.Phase != fleet.PhaseRunning {
			return providers.ErrNotRunning
		}
		program, p.Env = c.program, c.env
		p.File = func(path string) (string, uint32, bool) {
			h.mu.Lock()
			defer h.mu.Unlock()
			return c.file(path)
		}
		p.Resolves = func(name string) bool {
			h.mu.Lock()
			defer h.mu.Unlock()
			return h.resolves(c, name)
		}
		return nil
	})
	if err != nil || program == nil {
		return 0, err
	}
	if p.Stdin == nil {
		p.Stdin = strings.NewReader("")
	}
	p.Stdin = stopReading{p.Stdin, ctx.Err}
	if p.Stdout == nil {
		p.Stdout = io.Discard
	}
	if p.Stderr == nil || x.TTY {
		p.Stderr = p.Stdout
	}
	if x.TTY {
		p.TTY = lastSize(x.Resize)
	}
	o := program(p)
	if err := ctx.Err(); err != nil {
		return 0, &providers.Error{Op: string(OpExec), Object: id, Class: providers.ErrUnknown, Err: err}
	}
	return o.Status, nil
}

// lastSize returns the newest size that was told so far.
func lastSize(sizes <-chan providers.TerminalSize) *providers.TerminalSize {
	size := &providers.TerminalSize{}
	for {
		select {
		case s, ok := <-sizes:
			if !ok {
				return size
			}
			size = &s
		default:
			return size
		}
	}
}
