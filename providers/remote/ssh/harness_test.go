package ssh_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stowage-run/stowage/providers/remote"
	"github.com/stowage-run/stowage/providers/remote/ssh"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a home directory, keys and the sshd processes of one test.
type world struct {
	t    *testing.T
	dir  string // short, for the paths of sockets
	home string
	user string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "stw")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	u, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, dir: dir, home: filepath.Join(dir, "home"), user: u.Username}
	if err := os.MkdirAll(filepath.Join(w.home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.keygen("home/.ssh/id_ed25519", "ed25519", "")
	w.write("authorized_keys", w.read("home/.ssh/id_ed25519.pub"))
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.dir, name) }

func (w *world) write(name, text string) {
	w.t.Helper()
	if err := os.WriteFile(w.path(name), []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(name string) string {
	w.t.Helper()
	text, err := os.ReadFile(w.path(name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(text)
}

func (w *world) command(name string, args ...string) string {
	w.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		w.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

func (w *world) keygen(name, kind, passphrase string) {
	w.t.Helper()
	w.command("ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", name, "-f", w.path(name))
}

// fingerprint is what ssh-keygen says of a key.
func (w *world) fingerprint(name string) string {
	w.t.Helper()
	return strings.Fields(w.command("ssh-keygen", "-lf", w.path(name+".pub")))[1]
}

// sshd is one server process.
type sshd struct {
	w    *world
	port int
	log  *lockedBuffer
	cmd  *exec.Cmd
	keys []string // host keys, of which the world has the files
}

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func freePort(t *testing.T) int {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port
}

// sshd starts a server with the host keys named, made when they are not there,
// and further lines for its sshd_config.
func (w *world) sshd(keys []string, lines ...string) *sshd {
	w.t.Helper()
	return w.sshdAt(freePort(w.t), nil, keys, lines...)
}

func (w *world) sshdAt(port int, wrap []string, keys []string, lines ...string) *sshd {
	w.t.Helper()
	s := &sshd{w: w, port: port, log: &lockedBuffer{}, keys: keys}
	if os.Geteuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			w.t.Fatal(err)
		}
	}
	conf := []string{
		"ListenAddress 127.0.0.1", "UsePAM no", "StrictModes no", "PidFile none", "LogLevel DEBUG1",
		"PasswordAuthentication no", "KbdInteractiveAuthentication no", "PermitRootLogin yes",
		"AuthorizedKeysFile " + w.path("authorized_keys"),
	}
	for _, k := range keys {
		if _, err := os.Stat(w.path(k)); err != nil {
			kind, _, _ := strings.Cut(filepath.Base(k), "-")
			w.keygen(k, kind, "")
		}
		conf = append(conf, "HostKey "+w.path(k))
	}
	name := fmt.Sprintf("sshd-%d.conf", s.port)
	w.write(name, strings.Join(append(lines, conf...), "\n")+"\n")
	argv := append(append([]string{}, wrap...), "/usr/sbin/sshd", "-D", "-e", "-f", w.path(name), "-p", strconv.Itoa(s.port))
	s.cmd = exec.Command(argv[0], argv[1:]...)
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.stop)
	w.await("sshd to listen", func() bool { return strings.Contains(s.log.String(), "Server listening on 127.0.0.1") })
	return s
}

func (s *sshd) stop() {
	if s.cmd.Process == nil || s.cmd.ProcessState != nil {
		return
	}
	s.cmd.Process.Signal(contSignal)
	s.cmd.Process.Kill()
	s.cmd.Wait()
}

// await polls, for other processes give no other sign.
func (w *world) await(what string, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 2000 {
		if ok() {
			return
		}
		<-tick.C
	}
	w.t.Fatalf("waited 10 s in vain for %s", what)
}

// known is a known_hosts line for the server with one of its keys.
func (s *sshd) known(key string) string {
	f := strings.Fields(s.w.read(key + ".pub"))
	return fmt.Sprintf("[127.0.0.1]:%d %s %s\n", s.port, f[0], f[1])
}

// trust makes known_hosts hold exactly the keys of the servers.
func (w *world) trust(servers ...*sshd) {
	w.t.Helper()
	var lines string
	for _, s := range servers {
		for _, k := range s.keys {
			lines += s.known(k)
		}
	}
	w.write("home/.ssh/known_hosts", lines)
}

// config is a Config for the server that touches nothing outside the world.
func (s *sshd) config() ssh.Config {
	return ssh.Config{
		Host: "web1", Address: "127.0.0.1", Port: s.port, Timeout: 5 * time.Second,
		Environment: ssh.Environment{Home: s.w.home, User: s.w.user, ConfigFiles: []string{s.w.path("home/.ssh/config")}},
	}
}

func dial(t *testing.T, cfg ssh.Config) *ssh.Conn {
	t.Helper()
	c, err := ssh.Dial(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Dial: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// refused dials in vain and returns the error, which must be of the class.
func refused(t *testing.T, cfg ssh.Config, class error) *remote.Error {
	t.Helper()
	c, err := ssh.Dial(t.Context(), cfg)
	if err == nil {
		c.Close()
		t.Fatalf("Dial: no error, want %v", class)
	}
	return classified(t, err, class)
}

func classified(t *testing.T, err, class error) *remote.Error {
	t.Helper()
	e, ok := errors.AsType[*remote.Error](err)
	if !ok {
		t.Fatalf("got %T %v, want a *remote.Error", err, err)
	}
	if !errors.Is(e, class) {
		t.Fatalf("got class %v in %q, want %v", e.Class, e, class)
	}
	t.Logf("%v", e)
	return e
}

// ready is a world with one trusted server and a connection to it.
func ready(t *testing.T, lines ...string) (*world, *sshd, *ssh.Conn) {
	t.Helper()
	w := newWorld(t)
	s := w.sshd([]string{"ed25519-host"}, lines...)
	w.trust(s)
	return w, s, dial(t, s.config())
}

// engine is an HTTP server on a unix socket that answers as much of docker's API
// as dial-stdio asks for.
type engine struct {
	path    string
	now     atomic.Int32 // connections open
	most    atomic.Int32
	holding atomic.Int32 // requests in /hold
}

func (w *world) engine(name string) *engine {
	w.t.Helper()
	e := &engine{path: w.path(name)}
	ln, err := net.Listen("unix", e.path)
	if err != nil {
		w.t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/_ping", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Api-Version", "1.41")
		io.WriteString(rw, "OK")
	})
	mux.HandleFunc("/hold", func(rw http.ResponseWriter, r *http.Request) {
		io.WriteString(rw, "begin")
		rw.(http.Flusher).Flush()
		e.holding.Add(1)
		defer e.holding.Add(-1)
		<-r.Context().Done()
	})
	mux.HandleFunc("/upcase", func(rw http.ResponseWriter, r *http.Request) {
		conn, buf, err := rw.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		all, _ := io.ReadAll(buf)
		conn.Write(bytes.ToUpper(all))
	})
	srv := &http.Server{Handler: mux, ConnState: func(_ net.Conn, st http.ConnState) {
		switch st {
		case http.StateNew:
			n := e.now.Add(1)
			for m := e.most.Load(); n > m && !e.most.CompareAndSwap(m, n); m = e.most.Load() {
			}
		case http.StateClosed, http.StateHijacked:
			e.now.Add(-1)
		}
	}}
	done := make(chan struct{})
	go func() { defer close(done); srv.Serve(ln) }()
	w.t.Cleanup(func() { srv.Close(); <-done })
	return e
}

// ping asks the engine through a stream of its own.
func ping(ctx context.Context, c remote.Conn, path string) error {
	conn, err := c.DialContext(ctx, "unix", path)
	if err != nil {
		return err
	}
	defer conn.Close()
	io.WriteString(conn, "GET /_ping HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n")
	answer, err := io.ReadAll(conn)
	if err != nil {
		return err
	}
	if !bytes.HasSuffix(answer, []byte("OK")) {
		return fmt.Errorf("answer %q", answer)
	}
	return nil
}

// hold opens a stream that never ends by itself.
func hold(t *testing.T, c remote.Conn, path string) net.Conn {
	t.Helper()
	conn, err := c.DialContext(t.Context(), "unix", path)
	if err != nil {
		t.Fatalf("DialContext: %v", err)
	}
	t.Cleanup(func() { conn.Close() })
	io.WriteString(conn, "GET /hold HTTP/1.0\r\n\r\n")
	buf := make([]byte, 4096)
	for seen := ""; !strings.Contains(seen, "begin"); {
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		seen += string(buf[:n])
	}
	return conn
}

// proxy passes bytes to an address until it is frozen.
type proxy struct {
	port    int
	limit   atomic.Int64 // bytes still to pass from the server; negative: no limit
	frozen  chan struct{}
	freeze1 sync.Once
}

func (p *proxy) freeze() { p.freeze1.Do(func() { close(p.frozen) }) }

// proxy starts one; limit is how many bytes of the server pass, negative: all.
func (w *world) proxy(to string, limit int64) *proxy {
	w.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	p := &proxy{port: ln.Addr().(*net.TCPAddr).Port, frozen: make(chan struct{})}
	p.limit.Store(limit)
	var work sync.WaitGroup
	var mu sync.Mutex
	conns := []net.Conn{}
	work.Go(func() {
		for {
			in, err := ln.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				in.Close()
				continue
			}
			mu.Lock()
			conns = append(conns, in, out)
			mu.Unlock()
			work.Go(func() { p.pass(out, in, false) })
			work.Go(func() { p.pass(in, out, true) })
		}
	})
	w.t.Cleanup(func() {
		ln.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		work.Wait()
	})
	return p
}

func (p *proxy) pass(dst, src net.Conn, counted bool) {
	buf := make([]byte, 32<<10)
	for {
		n, err := src.Read(buf)
		select {
		case <-p.frozen:
			io.Copy(io.Discard, src) // until the end of the test
			return
		default:
		}
		if limit := p.limit.Load(); counted && limit >= 0 {
			if int64(n) > limit {
				dst.Write(buf[:limit])
				p.freeze()
				continue
			}
			p.limit.Store(limit - int64(n))
		}
		if _, werr := dst.Write(buf[:n]); err != nil || werr != nil {
			dst.Close()
			return
		}
	}
}

// greeter says text to the first who connects, and hangs up.
func greeter(t *testing.T, text string) *net.TCPAddr {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		if conn, err := ln.Accept(); err == nil {
			io.WriteString(conn, text)
			conn.Close()
		}
	}()
	return ln.Addr().(*net.TCPAddr)
}
