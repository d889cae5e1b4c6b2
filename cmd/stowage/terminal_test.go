package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stowage-run/stowage/internal/testfleet"
)

// patience bounds each wait here. What is waited for takes a second or two on an idle machine.
const patience = 30 * time.Second

const (
	ctrlC = "\x03"
	wipe  = "\x1b[H\x1b[2J"
)

// watched is one replica on each of the three hosts, for commands that people sit before. Its containers have the hosts' own
// programs, so that there is a shell in them.
type watched struct {
	t     *testing.T
	fleet *testfleet.Fleet
	dir   string
}

const watchedName = "watched"

func newWatched(t *testing.T) *watched {
	t.Helper()
	f, err := shared.get()
	if err != nil {
		t.Fatal(err)
	}
	w := &watched{t, f, t.TempDir()}
	t.Cleanup(func() {
		for _, h := range f.Hosts {
			if err := clean(h, watchedName); err != nil {
				t.Error(err)
			}
		}
	})
	t.Setenv("HOME", w.dir)
	t.Setenv("NO_COLOR", "1")
	t.Setenv("TERM", "xterm")
	t.Setenv("DOCKER_HOST", "unix://"+f.Local.Socket)
	hcl := fmt.Sprintf("stowage {\n  fleet = %q\n}\n\n", watchedName)
	for _, h := range f.Hosts {
		hcl += h.HCL() + "\n"
	}
	hcl += `workload "web" {
  image    = "stowage-web:1"
  replicas = 3
  update { min_healthy_time = "0s" }
` + programs() + "}\n"
	if err := os.WriteFile(filepath.Join(w.dir, "stowage.hcl"), []byte(hcl), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := w.command("apply", "-auto-approve").CombinedOutput(); err != nil {
		t.Fatalf("apply: %v\n%s", err, out)
	}
	return w
}

// programs are the mounts that give a container the machine's own programs.
func programs() string {
	var b strings.Builder
	for _, dir := range []string{"/usr", "/lib", "/lib64"} {
		source, err := filepath.EvalSymlinks(dir)
		if err != nil {
			continue // not every architecture has it
		}
		fmt.Fprintf(&b, "  mount %q {\n    source    = %q\n    read_only = true\n  }\n", dir, source)
	}
	return b.String()
}

func (w *watched) command(words ...string) *exec.Cmd {
	cmd := exec.CommandContext(w.t.Context(), "stowage", words...)
	cmd.Dir = w.dir
	return cmd
}

// docker asks a host's engine; n counts from 0, as the replicas do.
func (w *watched) docker(n int, words ...string) {
	w.t.Helper()
	if _, err := w.fleet.Hosts[n].Docker(w.t.Context(), words...); err != nil {
		w.t.Fatal(err)
	}
}

// say writes a line to the output of the first process of replica n.
func (w *watched) say(n int, line string) {
	w.t.Helper()
	w.docker(n, "exec", fmt.Sprintf("%s-web-%d-g1", watchedName, n), "/usr/bin/sh", "-c", "echo '"+line+"' >/proc/1/fd/1")
}

// running is a command under way, with what it has written so far.
type running struct {
	t   *testing.T
	cmd *exec.Cmd

	terminal *os.File // whoever types there; nil: it has none
	mu       sync.Mutex
	out      bytes.Buffer  // guarded by mu
	more     chan struct{} // holds a token after something was written
	done     chan struct{} // closed at the end of the command and its output
}

func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out.Write(p)
	select {
	case r.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (r *running) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.String()
}

// begin starts a command whose output goes to a pipe, as does what it says of errors.
func (w *watched) begin(words ...string) *running {
	w.t.Helper()
	r := &running{t: w.t, cmd: w.command(words...), more: make(chan struct{}, 1), done: make(chan struct{})}
	r.cmd.Stdout, r.cmd.Stderr = r, r
	if err := r.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		defer close(r.done)
		_ = r.cmd.Wait() // its state says how it ended
	}()
	w.t.Cleanup(r.kill)
	return r
}

// beginOn starts a command on a terminal of its own, of 40 lines and 100 columns.
func (w *watched) beginOn(words ...string) *running {
	w.t.Helper()
	master, slave, err := openTerminal()
	if err != nil {
		w.t.Fatal(err)
	}
	r := &running{t: w.t, cmd: w.command(words...), terminal: master, more: make(chan struct{}, 1), done: make(chan struct{})}
	r.resize(40, 100)
	r.cmd.Stdin, r.cmd.Stdout, r.cmd.Stderr = slave, slave, slave
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	err = r.cmd.Start()
	if err != nil {
		w.t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(r, master) // a terminal without a process reads as an error
	}()
	go func() {
		defer close(r.done)
		_ = r.cmd.Wait()
		slave.Close() // only now: a terminal that nobody has open loses what was not read yet, and its settings
		<-read
	}()
	w.t.Cleanup(func() { r.kill(); master.Close() })
	return r
}

// openTerminal makes a terminal: master is the side of the person.
func openTerminal() (master, slave *os.File, err error) {
	master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, err
	}
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}

func (r *running) kill() {
	_ = r.cmd.Process.Kill() // it has most often ended
	<-r.done
}

func (r *running) resize(rows, columns uint16) {
	r.t.Helper()
	if err := unix.IoctlSetWinsize(int(r.terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *running) types(s string) {
	r.t.Helper()
	if _, err := io.WriteString(r.terminal, s); err != nil {
		r.t.Fatal(err)
	}
}

// settings are the terminal's: whether it echoes, hands on lines, sends signals.
func (r *running) settings() uint32 {
	r.t.Helper()
	s, err := unix.IoctlGetTermios(int(r.terminal.Fd()), unix.TCGETS)
	if err != nil {
		r.t.Fatal(err)
	}
	return s.Lflag
}

// until waits until the output satisfies, and fails the test when it does not in time or the command ends first.
func (r *running) until(what string, ok func(text string) bool) {
	r.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for !ok(r.text()) {
		select {
		case <-r.more:
		case <-r.done:
			if !ok(r.text()) {
				r.t.Fatalf("%v ended before: %s\n%s", r.cmd.Args, what, r.text())
			}
		case <-limit.C:
			r.t.Fatalf("%v: not within %v: %s\n%s", r.cmd.Args, patience, what, r.text())
		}
	}
}

func (r *running) untilText(s string) {
	r.t.Helper()
	r.until(fmt.Sprintf("it writes %q", s), func(text string) bool { return strings.Contains(text, s) })
}

// ends waits for the end of the command and checks its exit status.
func (r *running) ends(want int) {
	r.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-r.done:
	case <-limit.C:
		r.t.Fatalf("%v has not ended within %v\n%s", r.cmd.Args, patience, r.text())
	}
	if got := r.cmd.ProcessState.ExitCode(); got != want {
		r.t.Errorf("%v: got exit status %d, want %d\n%s", r.cmd.Args, got, want, r.text())
	}
}

// TestLooking is what people sit before: a shell in a container, a status that goes on, output that goes on.
func TestLooking(t *testing.T) {
	w := newWatched(t)
	t.Run("exec", func(t *testing.T) { w.t = t; testShell(w) })
	t.Run("logs", func(t *testing.T) { w.t = t; testFollow(w) })
	t.Run("watch", func(t *testing.T) { w.t = t; testWatch(w) })
	t.Run("broken off", func(t *testing.T) { w.t = t; testBrokenOff(w) })
}

// testShell sits in a shell: its size follows the terminal's, Ctrl-C is for what runs there, its status is ours, and
// the terminal is afterwards as it was.
func testShell(w *watched) {
	r := w.beginOn("exec", "web[1]", "--", "/usr/bin/sh")
	before := r.settings()
	r.untilText("$ ")
	r.types("until stty size | grep -q '40 100'; do :; done; echo si''zed\n") // an older engine is told the size after the start
	r.untilText("sized")
	r.resize(50, 120)
	r.types("until stty size | grep -q '50 120'; do :; done; echo re''sized\n")
	r.untilText("resized")
	r.types("cat\n")
	r.types("to and fro\n")
	r.until("cat answers", func(text string) bool { return strings.Count(text, "to and fro") == 2 })
	r.types(ctrlC)
	r.until("there is a prompt again", func(text string) bool { return strings.HasSuffix(text, "$ ") })
	r.types("echo the status of c''at: $?\n")
	r.untilText("the status of cat: 130")
	r.types("exit 7\n")
	r.ends(7)
	if after := r.settings(); after != before {
		w.t.Errorf("got the terminal's settings %b afterwards, want %b", after, before)
	}
}

// testFollow follows all replicas, and Ctrl-C ends it well.
func testFollow(w *watched) {
	r := w.begin("logs", "-f", "web")
	for n := range 3 {
		r.untilText(fmt.Sprintf("web[%d] | web 1 listens on", n))
	}
	for n := range 3 {
		w.say(n, fmt.Sprintf("news of %d", n))
		r.untilText(fmt.Sprintf("web[%d] | news of %d\n", n, n))
	}
	if err := r.cmd.Process.Signal(os.Interrupt); err != nil {
		w.t.Fatal(err)
	}
	r.ends(0)
	if text := r.text(); strings.Contains(text, "Error") {
		w.t.Errorf("Ctrl-C is no error, got:\n%s", text)
	}
}

// testWatch watches a replica end: each look replaces the one before.
func testWatch(w *watched) {
	r := w.beginOn("status", "-watch")
	r.untilText(wipe + "Fleet " + watchedName)
	r.untilText("3/3")
	w.docker(2, "kill", watchedName+"-web-2-g1")
	r.until("it shows that a replica ended", func(text string) bool {
		screen := text[max(0, strings.LastIndex(text, wipe)):]
		return strings.Contains(screen, "2/3") && strings.Contains(screen, "1 replicas are not running")
	})
	r.types(ctrlC)
	r.ends(0)
}

// testBrokenOff presses Ctrl-C while a host is being asked: what was not heard is not shown as if it had been.
func testBrokenOff(w *watched) {
	ctx := context.WithoutCancel(w.t.Context())
	if err := w.fleet.Hosts[1].FreezeEngine(ctx); err != nil {
		w.t.Fatal(err)
	}
	defer func() {
		if err := w.fleet.Hosts[1].ThawEngine(ctx); err != nil {
			w.t.Error(err)
		}
	}()
	r := w.beginOn("status", "-watch")
	w.connected(w.fleet.Hosts[1])
	r.types(ctrlC)
	r.ends(0)
	if text := r.text(); strings.Contains(text, "Fleet") {
		w.t.Errorf("a look that was broken off is shown:\n%s", text)
	}
}

// connected waits until somebody has a connection to a host's sshd.
func (w *watched) connected(h *testfleet.Host) {
	w.t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		out, err := exec.CommandContext(w.t.Context(), "ss", "-Htn", "state", "established", "dst", h.SSHAddr()).CombinedOutput()
		if err != nil {
			w.t.Fatalf("ss: %v\n%s", err, out)
		}
		if len(bytes.TrimSpace(out)) > 0 {
			return
		}
		select {
		case <-tick.C:
		case <-limit.C:
			w.t.Fatalf("nobody connects to %s within %v", h.SSHAddr(), patience)
		}
	}
}
