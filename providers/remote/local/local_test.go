package local_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stowage-run/stowage/providers/remote"
	"github.com/stowage-run/stowage/providers/remote/local"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func connect(t *testing.T) *local.Conn {
	t.Helper()
	c := local.New("here")
	t.Cleanup(func() { c.Close() })
	return c
}

// echo is a socket that gives back what it is sent, in capitals, at the end of it.
func echo(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "stw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			all, _ := io.ReadAll(conn)
			conn.Write(bytes.ToUpper(all))
			conn.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return path
}

func TestStream(t *testing.T) {
	c := connect(t)
	conn, err := c.DialContext(t.Context(), "unix", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "hello")
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); string(got) != "HELLO" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	conn.Close()
}

func TestSocketErrors(t *testing.T) {
	c := connect(t)
	dir := filepath.Dir(echo(t))
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		filepath.Join(dir, "none"):   remote.ErrSocketMissing,
		filepath.Join(dir, "file/x"): remote.ErrSocketMissing,
		filepath.Join(dir, "file"):   remote.ErrSocketDead,
	} {
		_, err := c.DialContext(t.Context(), "unix", path)
		e, ok := errors.AsType[*remote.Error](err)
		if !ok || !errors.Is(err, want) || e.Socket != path || e.Host != "here" {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
	}
}

func TestRun(t *testing.T) {
	c := connect(t)
	for _, tt := range []struct {
		cmd  remote.Command
		want remote.Output
	}{
		{remote.Command{Argv: []string{"printf", "%s|", "a b", "$(id)"}}, remote.Output{Stdout: []byte("a b|$(id)|")}},
		{remote.Command{Argv: []string{"cat"}, Stdin: strings.NewReader("in")}, remote.Output{Stdout: []byte("in")}},
		{remote.Command{Argv: []string{"sh", "-c", "echo err >&2; exit 7"}}, remote.Output{Stderr: []byte("err\n"), ExitCode: 7}},
		{remote.Command{Argv: []string{"sh", "-c", "kill -TERM $$"}}, remote.Output{ExitCode: -1, Signal: "TERM"}},
		{remote.Command{Argv: []string{"printf", "123456"}, MaxOutput: 3}, remote.Output{Stdout: []byte("123"), Truncated: true}},
		{remote.Command{Argv: []string{"no-such-program"}}, remote.Output{Stderr: []byte("no-such-program: not found\n"), ExitCode: 127}},
	} {
		got, err := c.Run(t.Context(), tt.cmd)
		if err != nil {
			t.Errorf("%v: %v", tt.cmd, err)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v: -want +got:\n%s", tt.cmd, diff)
		}
	}
	if _, err := c.Run(t.Context(), remote.Command{}); !errors.Is(err, remote.ErrConfig) {
		t.Errorf("no command: got %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := c.Run(ctx, remote.Command{Argv: []string{"sleep", "60"}}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a late command: got %v", err)
	}
}

func TestListen(t *testing.T) {
	c := connect(t)
	if _, err := c.Listen(t.Context(), "tcp", "0.0.0.0:0"); !errors.Is(err, remote.ErrConfig) {
		t.Errorf("got %v", err)
	}
	ln, err := c.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ours, err := c.DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(theirs, "x")
	if _, err := io.ReadFull(ours, make([]byte, 1)); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsAll(t *testing.T) {
	c := connect(t)
	stream, err := c.DialContext(t.Context(), "unix", echo(t))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := c.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	errs := make(chan error, 3)
	go func() { _, err := stream.Read(make([]byte, 1)); errs <- err }()
	go func() { _, err := ln.Accept(); errs <- err }()
	pr, pw := io.Pipe()
	defer pr.Close()
	go func() {
		_, err := c.Run(t.Context(), remote.Command{Argv: []string{"sh", "-c", "echo up; exec sleep 60"}, Stdin: strings.NewReader("")})
		pw.Close()
		errs <- err
	}()
	if c.Err() != nil {
		t.Errorf("Err before Close: %v", c.Err())
	}
	c.Close()
	c.Close()
	for range 3 {
		if err := <-errs; err == nil || errors.Is(err, io.EOF) {
			t.Errorf("got %v, want an error that is no end of file", err)
		}
	}
	<-c.Done()
	if !errors.Is(c.Err(), remote.ErrClosed) {
		t.Errorf("Err: got %v", c.Err())
	}
	if _, err := c.DialContext(t.Context(), "tcp", "127.0.0.1:1"); !errors.Is(err, remote.ErrClosed) {
		t.Errorf("after Close: got %v", err)
	}
}
