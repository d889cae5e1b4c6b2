package docker

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// maxLogLine bounds one line of output; a longer one is handed on in pieces.
const maxLogLine = 256 << 10

// Logs streams a container's output.
func (e *Engine) Logs(ctx context.Context, id string, o providers.LogOptions, emit func(providers.LogLine) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	j, err := e.api.ContainerInspect(ctx, id)
	if err != nil {
		return looked("logs", id, err)
	}
	options := container.LogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Follow: o.Follow, Tail: "all"}
	if o.Tail >= 0 {
		options.Tail = strconv.Itoa(o.Tail)
	}
	if !o.Since.IsZero() {
		options.Since = o.Since.UTC().Format(time.RFC3339Nano)
	}
	stream, err := e.api.ContainerLogs(ctx, id, options)
	if err != nil {
		return looked("logs", id, err)
	}
	defer stream.Close()
	out, errOut := &lines{emit: emit}, &lines{emit: emit, stderr: true}
	if j.Config != nil && j.Config.Tty {
		_, err = io.Copy(out, stream)
	} else {
		_, err = stdcopy.StdCopy(messages{out}, messages{errOut}, stream)
	}
	err = errors.Join(err, out.flush(), errOut.flush())
	var refused *emitError
	switch {
	case errors.As(err, &refused):
		return refused.err
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return looked("logs", id, err)
}

// emitError is an error of who receives lines, as opposed to one of the stream.
type emitError struct{ err error }

func (e *emitError) Error() string { return e.err.Error() }

// lines cuts a stream into lines and hands them on.
type lines struct {
	emit   func(providers.LogLine) error
	stderr bool
	buf    []byte
}

func (l *lines) Write(p []byte) (int, error) {
	l.buf = append(l.buf, p...)
	for {
		advance, line, _ := bufio.ScanLines(l.buf, false)
		if advance == 0 {
			if len(l.buf) < maxLogLine {
				return len(p), nil
			}
			advance, line = len(l.buf), l.buf
		}
		if err := l.hand(string(line)); err != nil {
			return 0, err
		}
		l.buf = l.buf[advance:]
	}
}

// messages takes what a log driver kept as one message with each Write, as StdCopy does. A line of more than 16 KiB
// is several messages, each with a stamp in front: only the first one's belongs to the line.
type messages struct{ *lines }

func (m messages) Write(p []byte) (int, error) {
	rest := p
	if len(m.buf) > 0 {
		if stamp, text, ok := bytes.Cut(p, []byte(" ")); ok {
			if _, err := time.Parse(time.RFC3339Nano, string(stamp)); err == nil {
				rest = text
			}
		}
	}
	if _, err := m.lines.Write(rest); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (l *lines) flush() error {
	if len(l.buf) == 0 {
		return nil
	}
	line := string(l.buf)
	l.buf = nil
	return l.hand(strings.TrimRight(line, "\r"))
}

// hand splits the engine's time stamp off a line.
func (l *lines) hand(s string) error {
	line := providers.LogLine{Stderr: l.stderr, Text: s}
	if stamp, text, ok := strings.Cut(s, " "); ok {
		if t, err := time.Parse(time.RFC3339Nano, stamp); err == nil {
			line.Time, line.Text = t, text
		}
	}
	if err := l.emit(line); err != nil {
		return &emitError{err}
	}
	return nil
}

// Exec runs a command in a running container.
func (e *Engine) Exec(ctx context.Context, id string, x providers.ExecRequest) (int, error) {
	c, err := e.Inspect(ctx, id)
	if err != nil {
		return 0, err
	}
	if c.Phase != fleet.PhaseRunning {
		return 0, &providers.Error{Op: "exec in", Object: c.Name, Class: providers.ErrNotRunning}
	}
	size := consoleSize(x)
	made, err := e.api.ContainerExecCreate(ctx, id, container.ExecOptions{
		Cmd: x.Command, Tty: x.TTY, ConsoleSize: size, AttachStdin: x.Stdin != nil, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return 0, changed("exec in", c.Name, err)
	}
	stream, err := e.api.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{Tty: x.TTY, ConsoleSize: size})
	if err != nil {
		return 0, changed("exec in", c.Name, err)
	}
	if err := e.attend(ctx, made.ID, stream, x); err != nil {
		return 0, changed("exec in", c.Name, err)
	}
	ctx, cancel := bounded(context.WithoutCancel(ctx), lookTimeout)
	defer cancel()
	j, err := e.api.ContainerExecInspect(ctx, made.ID)
	if err != nil {
		return 0, changed("exec in", c.Name, err)
	}
	return j.ExitCode, nil
}

// consoleSize is the size that a command's terminal begins with. A command that is told its size only afterwards has often drawn
// by then. Engines before API 1.42 have no word for it, and the client leaves it out.
func consoleSize(x providers.ExecRequest) *[2]uint {
	if !x.TTY || x.Size.Rows == 0 || x.Size.Columns == 0 {
		return nil
	}
	return &[2]uint{x.Size.Rows, x.Size.Columns}
}

// endOfInput is how a terminal says that nothing more comes (^D). Half closing the stream instead makes the engine drop
// what the command still writes (daemon/attach of 20.10: with a terminal, the end of input ends all streams).
const endOfInput = 4

// attend carries a command's streams until its output ends. The goroutine that reads standard input may stay in a read of
// it: a terminal's read cannot be taken back. It touches nothing of ours afterwards.
func (e *Engine) attend(ctx context.Context, exec string, stream types.HijackedResponse, x providers.ExecRequest) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer stream.Close()
	cut := context.AfterFunc(ctx, stream.Close)
	defer cut()
	if x.Stdin != nil {
		go func() {
			// A command need not read its input: an error here is no failure of it.
			_, _ = io.Copy(stream.Conn, x.Stdin)
			if x.TTY {
				_, _ = stream.Conn.Write([]byte{endOfInput})
				return
			}
			_ = stream.CloseWrite()
		}()
	}
	if x.Resize != nil {
		wg.Go(func() { e.resize(ctx, exec, x.Resize) })
	}
	out, errOut := x.Stdout, x.Stderr
	if out == nil {
		out = io.Discard
	}
	if errOut == nil {
		errOut = io.Discard
	}
	var err error
	if x.TTY {
		_, err = io.Copy(out, stream.Reader)
	} else {
		_, err = stdcopy.StdCopy(out, errOut, stream.Reader)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// resizeTries is how often a size is told to an engine that does not take it, and resizeWait for how long it is left alone at first,
// doubled each time: a command that was just begun has no terminal yet. Docker's own client does likewise.
const (
	resizeTries = 8
	resizeWait  = 10 * time.Millisecond
)

// resizeTo sets a terminal's size.
func (e *Engine) resizeTo(ctx context.Context, exec string, s providers.TerminalSize) {
	for n := range resizeTries {
		if e.api.ContainerExecResize(ctx, exec, container.ResizeOptions{Height: s.Rows, Width: s.Columns}) == nil {
			return
		}
		select {
		case <-time.After(resizeWait << n):
		case <-ctx.Done():
			return
		}
	}
}

// resize follows the terminal's size. A size that could not be set is of no consequence but a crooked line.
func (e *Engine) resize(ctx context.Context, exec string, sizes <-chan providers.TerminalSize) {
	for {
		select {
		case s, ok := <-sizes:
			if !ok {
				return
			}
			e.resizeTo(ctx, exec, s)
		case <-ctx.Done():
			return
		}
	}
}
