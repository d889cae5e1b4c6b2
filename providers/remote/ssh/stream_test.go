package ssh_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stowage-run/stowage/providers/remote"
	"github.com/stowage-run/stowage/providers/remote/ssh"
	"go.uber.org/goleak"
)

const contSignal = syscall.SIGCONT

// parallel runs f n times at once and reports every error.
func parallel(t *testing.T, n int, f func() error) {
	t.Helper()
	var wg sync.WaitGroup
	errs := make(chan error, n)
	for range n {
		wg.Go(func() { errs <- f() })
	}
	wg.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
}

func TestStreamsAreForwarded(t *testing.T) {
	w, s, c := ready(t, "MaxSessions 1")
	e := w.engine("d.sock")
	if log := s.log.String(); strings.Contains(log, "server_input_channel_open") {
		t.Errorf("Dial opened a channel:\n%s", log)
	}
	parallel(t, 50, func() error { return ping(t.Context(), c, e.path) })
	if got, want := c.Mode(), ssh.Forwarding; got != want {
		t.Errorf("mode: got %v, want %v", got, want)
	}
	if log := s.log.String(); strings.Contains(log, "ctype session") {
		t.Error("a session was opened for a forwarded stream")
	}
}

func TestStreamToTCP(t *testing.T) {
	_, _, c := ready(t)
	conn, err := c.DialContext(t.Context(), "tcp", greeter(t, "hello").String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); string(got) != "hello" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestRefusedForwardingFallsBack(t *testing.T) {
	w, _, c := ready(t, "AllowStreamLocalForwarding no")
	e := w.engine("d.sock")
	parallel(t, 20, func() error { return ping(t.Context(), c, e.path) })
	if got, want := c.Mode(), ssh.DialStdio; got != want {
		t.Errorf("mode: got %v, want %v", got, want)
	}
	if got := e.most.Load(); got > 7 { // one may linger in the server when the next comes
		t.Errorf("%d streams at once, want at most 6", got)
	}
	conn, err := c.DialContext(t.Context(), "unix", e.path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	io.WriteString(conn, "POST /upcase HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\nhello")
	if err := conn.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(conn); string(got) != "HELLO" || err != nil {
		t.Errorf("after CloseWrite: got %q, %v", got, err)
	}
	classified(t, ping(t.Context(), c, w.path("gone.sock")), remote.ErrSocketMissing)
}

func TestRefusedForwardingWithoutStandIn(t *testing.T) {
	w := newWorld(t)
	e := w.engine("d.sock")
	bin := w.path("bin")
	if err := os.Mkdir(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"sh", "id", "ls", "readlink", "grep"} {
		if err := os.Symlink(strings.TrimSpace(w.command("sh", "-c", "command -v "+tool)), bin+"/"+tool); err != nil {
			t.Fatal(err)
		}
	}
	s := w.sshd([]string{"ed25519-host"}, "AllowStreamLocalForwarding no", "SetEnv PATH="+bin)
	w.trust(s)
	_, err := dial(t, s.config()).DialContext(t.Context(), "unix", e.path)
	classified(t, err, remote.ErrForwardingRefused)
}

func TestRefusedForwardingAndNoCommands(t *testing.T) {
	w, _, c := ready(t, "AllowStreamLocalForwarding no", "ForceCommand /bin/false")
	_, err := c.DialContext(t.Context(), "unix", w.engine("d.sock").path)
	classified(t, err, remote.ErrForwardingRefused)
}

func TestSocketErrors(t *testing.T) {
	w, _, c := ready(t)
	w.write("file", "")
	ln, err := net.Listen("unix", w.path("dead.sock"))
	if err != nil {
		t.Fatal(err)
	}
	ln.(*net.UnixListener).SetUnlinkOnClose(false)
	ln.Close()
	for _, tt := range []struct {
		path string
		want error
	}{
		{w.path("none.sock"), remote.ErrSocketMissing},
		{w.path("no/such/dir.sock"), remote.ErrSocketMissing},
		{w.path("file"), remote.ErrSocketMissing},
		{w.path("dead.sock"), remote.ErrSocketDead},
		{"relative.sock", remote.ErrConfig},
		{"/a\nb", remote.ErrConfig},
	} {
		_, err := c.DialContext(t.Context(), "unix", tt.path)
		classified(t, err, tt.want)
	}
	if got := c.Mode(); got != ssh.Forwarding {
		t.Errorf("mode: got %v", got)
	}
	_, err = c.DialContext(t.Context(), "unix", w.path("none.sock"))
	if e := classified(t, err, remote.ErrSocketMissing); e.Socket != w.path("none.sock") || e.Host != "web1" {
		t.Errorf("got %+v", e)
	}
}

// TestSocketDenied needs an account that may not do everything. Where we are root
// sshd is given one, in a mount namespace with a passwd file of its own.
func TestSocketDenied(t *testing.T) {
	w := newWorld(t)
	e := w.engine("d.sock")
	name, wrap, mode := w.user, []string(nil), os.FileMode(0)
	if os.Geteuid() == 0 {
		name, mode = "stowtest", 0o660
		w.write("passwd", w.command("cat", "/etc/passwd")+"stowtest:*:20999:20999::/:/bin/sh\n")
		w.write("group", w.command("cat", "/etc/group")+"stowtest:x:20999:\nengines:x:20998:\n")
		for _, f := range []string{"passwd", "group"} {
			if err := os.Chmod(w.path(f), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(w.path("authorized_keys"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(e.path, 0, 20998); err != nil {
			t.Fatal(err)
		}
		wrap = []string{"unshare", "-m", "sh", "-c", `mount --bind "$0/passwd" /etc/passwd && mount --bind "$0/group" /etc/group && exec "$@"`, w.dir}
	}
	if err := os.Chmod(e.path, mode); err != nil {
		t.Fatal(err)
	}
	s := w.sshdAt(freePort(t), wrap, []string{"ed25519-host"})
	w.trust(s)
	cfg := s.config()
	cfg.User = name
	_, err := dial(t, cfg).DialContext(t.Context(), "unix", e.path)
	got := classified(t, err, remote.ErrSocketDenied)
	if got.User != name || got.Groups == "" || got.Owner == "" {
		t.Errorf("got user %q, groups %q, owner %q", got.User, got.Groups, got.Owner)
	}
	if os.Geteuid() == 0 && (len(got.Try) != 1 || !strings.HasPrefix(got.Try[0], "sudo usermod -aG engines stowtest")) {
		t.Errorf("try: got %q", got.Try)
	}
}

func TestTooManySessions(t *testing.T) {
	w, _, c := ready(t, "MaxSessions 1")
	pr, pw := io.Pipe()
	started := make(chan error, 1)
	go func() {
		_, err := c.Run(t.Context(), remote.Command{Argv: []string{"sh", "-c", "touch " + w.path("up") + "; cat"}, Stdin: pr})
		started <- err
	}()
	w.await("the first command", func() bool { _, err := os.Stat(w.path("up")); return err == nil })
	_, err := c.Run(t.Context(), remote.Command{Argv: []string{"true"}})
	classified(t, err, remote.ErrTooManySessions)
	pw.Close()
	if err := <-started; err != nil {
		t.Errorf("the first command: %v", err)
	}
}

func TestCloseEndsEveryStream(t *testing.T) {
	w, s, _ := ready(t)
	e := w.engine("d.sock")
	for range 2 {
		ignore := goleak.IgnoreCurrent()
		c := dial(t, s.config())
		errs := make(chan error, 20)
		for range 20 {
			conn := hold(t, c, e.path)
			go func() { _, err := conn.Read(make([]byte, 1)); errs <- err }()
		}
		ran := make(chan error, 1)
		go func() { _, err := c.Run(t.Context(), remote.Command{Argv: []string{"sleep", "60"}}); ran <- err }()
		begin := time.Now()
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if d := time.Since(begin); d > time.Second {
			t.Errorf("Close took %v", d)
		}
		for range 20 {
			if err := <-errs; !errors.Is(err, remote.ErrClosed) {
				t.Errorf("read: got %v, want ErrClosed", err)
			}
		}
		if err := <-ran; !errors.Is(err, remote.ErrClosed) {
			t.Errorf("Run: got %v, want ErrClosed", err)
		}
		<-c.Done()
		if got := c.Err(); !errors.Is(got, remote.ErrClosed) {
			t.Errorf("Err: got %v", got)
		}
		if err := ping(t.Context(), c, e.path); !errors.Is(err, remote.ErrClosed) {
			t.Errorf("after Close: got %v", err)
		}
		w.await("the engine to see the streams end", func() bool { return e.holding.Load() == 0 })
		goleak.VerifyNone(t, ignore)
	}
}

func TestLostConnectionIsNoEndOfFile(t *testing.T) {
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"})
	p := w.proxy(fmt.Sprintf("127.0.0.1:%d", s.port), -1)
	cfg := s.config()
	cfg.Port = p.port
	w.write("home/.ssh/known_hosts", strings.Replace(s.known("ed25519-host"), fmt.Sprint(s.port), fmt.Sprint(p.port), 1))
	c := dial(t, cfg)
	e := w.engine("d.sock")
	conn := hold(t, c, e.path)
	// The server's process for this connection is killed; the listening one stays.
	children := strings.Fields(w.command("pgrep", "-P", fmt.Sprint(s.cmd.Process.Pid)))
	for _, pid := range children {
		w.command("kill", "-9", pid)
	}
	_, err := io.ReadAll(conn)
	classified(t, err, remote.ErrUnreachable)
	<-c.Done()
	classified(t, c.Err(), remote.ErrUnreachable)
	if err := c.Close(); err != nil {
		t.Errorf("Close after the loss: %v", err)
	}
}
