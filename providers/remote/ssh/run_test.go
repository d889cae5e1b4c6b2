package ssh_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stowage-run/stowage/providers/remote"
)

func TestRun(t *testing.T) {
	_, _, c := ready(t, "LogLevel INFO") // at DEBUG1 sshd writes to its commands' standard error
	nasty := []string{"", " ", "a b", "'", `\'"$(id)`, "`id`", "*", "~", "x=y", "-n", "line\nline", "\x01\xff", "é", "!!", "#", "a;b&c|d>e"}
	for _, tt := range []struct {
		name string
		cmd  remote.Command
		want remote.Output
	}{
		{"argv", remote.Command{Argv: append([]string{"printf", "%s|"}, nasty...)}, remote.Output{Stdout: []byte(strings.Join(nasty, "|") + "|")}},
		{"stdin", remote.Command{Argv: []string{"cat"}, Stdin: strings.NewReader("in")}, remote.Output{Stdout: []byte("in")}},
		{"no stdin", remote.Command{Argv: []string{"cat"}}, remote.Output{}},
		{"unread stdin", remote.Command{Argv: []string{"true"}, Stdin: io.LimitReader(zeros{}, 64<<20)}, remote.Output{}},
		{"status", remote.Command{Argv: []string{"sh", "-c", "echo out; echo err >&2; exit 7"}},
			remote.Output{Stdout: []byte("out\n"), Stderr: []byte("err\n"), ExitCode: 7}},
		{"signal", remote.Command{Argv: []string{"sh", "-c", "kill -TERM $$"}}, remote.Output{ExitCode: -1, Signal: "TERM"}},
		{"capped", remote.Command{Argv: []string{"sh", "-c", "printf 123456789; printf abcdefghi >&2"}, MaxOutput: 5},
			remote.Output{Stdout: []byte("12345"), Stderr: []byte("abcde"), Truncated: true}},
		{"much", remote.Command{Argv: []string{"head", "-c", "8000000", "/dev/zero"}, MaxOutput: 10},
			remote.Output{Stdout: make([]byte, 10), Truncated: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := c.Run(t.Context(), tt.cmd)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Stderr) == 0 {
				got.Stderr = nil
			}
			if len(got.Stdout) == 0 {
				got.Stdout = nil
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
	got, err := c.Run(t.Context(), remote.Command{Argv: []string{"no-such-program"}})
	if err != nil || got.ExitCode != 127 {
		t.Errorf("no such program: got %+v, %v", got, err)
	}
	for _, argv := range [][]string{nil, {""}, {"a", "b\x00c"}} {
		_, err := c.Run(t.Context(), remote.Command{Argv: argv})
		classified(t, err, remote.ErrConfig)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// TestRunIsCancelled: the caller is free at once, and the command sees its input
// end. That it is killed cannot be relied on: sshd sends no signals for root.
func TestRunIsCancelled(t *testing.T) {
	w, _, c := ready(t)
	ctx, cancel := context.WithCancel(t.Context())
	pr, pw := io.Pipe()
	defer pw.Close()
	done := make(chan error, 1)
	go func() {
		_, err := c.Run(ctx, remote.Command{Argv: []string{"sh", "-c", `cd "$1"; : > up; cat; : > down`, "sh", w.dir}, Stdin: pr})
		done <- err
	}()
	exists := func(name string) func() bool {
		return func() bool { _, err := os.Stat(w.path(name)); return err == nil }
	}
	w.await("the command", exists("up"))
	cancel()
	within(t, 3*time.Second, func() { classified(t, <-done, context.Canceled) })
	if os.Geteuid() == 0 {
		w.await("the end of the command", exists("down"))
	}
}

func TestManyCommandsTakeTurns(t *testing.T) {
	_, _, c := ready(t, "MaxSessions 3")
	parallel(t, 12, func() error {
		out, err := c.Run(t.Context(), remote.Command{Argv: []string{"echo", "x"}})
		if err == nil && string(out.Stdout) != "x\n" {
			err = fmt.Errorf("got %+v", out)
		}
		return err
	})
}

func TestListen(t *testing.T) {
	_, _, c := ready(t)
	ln, err := c.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if !ln.Addr().(*net.TCPAddr).IP.IsLoopback() {
		t.Errorf("listens on %v", ln.Addr())
	}
	srv := &http.Server{Handler: http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(rw, r.URL.Path, " ", n)
	})}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	// The host's loopback is this machine's.
	transport := &http.Transport{MaxIdleConnsPerHost: 20}
	client := &http.Client{Transport: transport}
	parallel(t, 20, func() error {
		for _, body := range []int{0, 1 << 20} { // the second request takes the first's connection
			resp, err := client.Post("http://"+ln.Addr().String()+"/a", "", io.LimitReader(zeros{}, int64(body)))
			if err != nil {
				return err
			}
			got, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if want := fmt.Sprint("/a ", body); err != nil || string(got) != want {
				return fmt.Errorf("got %q, %w", got, err)
			}
		}
		return nil
	})
	// A graceful shutdown needs handlers to be done with their connections.
	transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := srv.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("Serve: %v", err)
	}
	if conn, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		conn.Close()
		t.Error("the host still listens")
	}
}

// TestHandlerIsDoneWithAnOpenConnection: the server is done with a request though
// the client keeps the connection and says no more.
func TestHandlerIsDoneWithAnOpenConnection(t *testing.T) {
	_, _, c := ready(t)
	ln, err := c.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	idle := make(chan struct{}, 1)
	srv := &http.Server{
		Handler:   http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { io.WriteString(rw, "hello") }),
		ConnState: func(_ net.Conn, s http.ConnState) { sendIf(s == http.StateIdle, idle) },
	}
	served := make(chan struct{})
	go func() { defer close(served); srv.Serve(ln) }()
	defer func() { srv.Close(); <-served }()
	conn, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	select {
	case <-idle:
	case <-time.After(5 * time.Second):
		t.Error("the handler is not done after 5 s")
	}
}

func sendIf(ok bool, ch chan struct{}) {
	if ok {
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// TestListenerClosesWithConnectionsWaiting: connections that nobody accepts do not
// keep a listener, or the connection, from closing.
func TestListenerClosesWithConnectionsWaiting(t *testing.T) {
	_, _, c := ready(t)
	for _, closeConn := range []bool{false, true} {
		ln, err := c.Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var conns []net.Conn
		for range 5 {
			conn, err := net.Dial("tcp", ln.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conns = append(conns, conn)
		}
		within(t, 3*time.Second, func() {
			if closeConn {
				c.Close()
			} else {
				ln.Close()
			}
			for _, conn := range conns {
				conn.Read(make([]byte, 1)) // until it is closed
			}
			if _, err := ln.Accept(); err == nil {
				t.Error("accepted after the end")
			}
		})
	}
}

func TestListenIsRefused(t *testing.T) {
	_, _, c := ready(t, "AllowTcpForwarding no")
	for _, tt := range []struct {
		network, addr string
		want          error
	}{
		{"tcp", "127.0.0.1:0", remote.ErrForwardingRefused},
		{"tcp", "0.0.0.0:0", remote.ErrConfig},
		{"tcp", "10.0.0.1:80", remote.ErrConfig},
		{"tcp", ":80", remote.ErrConfig},
		{"unix", "/tmp/x", remote.ErrConfig},
	} {
		_, err := c.Listen(t.Context(), tt.network, tt.addr)
		classified(t, err, tt.want)
	}
	_, err := c.DialContext(t.Context(), "tcp", "127.0.0.1:22")
	classified(t, err, remote.ErrForwardingRefused)
}
