package testfleet

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// sandbox is a set of namespaces, alive as long as its init.
type sandbox struct {
	name string
	pid  int // of the init, as this process sees it
	cmd  *exec.Cmd
	done chan struct{} // closed when the init and all below it are gone
}

// The init of a sandbox. Its arguments: the host's name, then pairs of a private
// directory or file and what it lies over. After that it only reaps what is
// orphaned, as container shims are; dash and bash do while they wait.
const initScript = `set -eu
mount --make-rprivate /
mount -t proc proc /proc
hostname "$1"; shift
while [ $# -gt 1 ]; do
	if [ -e "$2" ]; then mount --bind "$1" "$2"; fi
	shift 2
done
echo ready
exec >/dev/null
while :; do sleep 86400 & wait $!; done
`

const sandboxFlags = syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS |
	syscall.CLONE_NEWIPC | syscall.CLONE_NEWPID

// startSandbox returns when the mounts of the sandbox are in place.
func startSandbox(ctx context.Context, name string, mounts []string) (*sandbox, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("start sandbox %s: %w", name, err)
	}
	defer out.Close()
	args := append([]string{"-c", initScript, "stowage-host", name}, mounts...)
	cmd := exec.Command("/bin/sh", args...)
	cmd.Env, cmd.Dir = hostEnv(), "/"
	cmd.Stdout, cmd.Stderr = in, in
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: sandboxFlags}
	done, err := startOwned(cmd)
	in.Close()
	if err != nil {
		return nil, fmt.Errorf("start sandbox %s: %w", name, err)
	}
	s := &sandbox{name: name, pid: cmd.Process.Pid, cmd: cmd, done: done}
	if err := awaitReady(ctx, out); err != nil {
		return nil, errors.Join(fmt.Errorf("start sandbox %s: %w", name, err), s.kill())
	}
	return s, nil
}

// startOwned starts a process that the kernel kills when this one ends. done is
// closed when it is gone. A goroutine keeps the thread that forked until then: the
// kernel sends the parent-death signal when that thread ends, not when the process does.
func startOwned(cmd *exec.Cmd) (done chan struct{}, err error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	cmd.SysProcAttr.Setpgid = true // Ctrl-C on a terminal is for the owner to handle
	done = make(chan struct{})
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(done)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // logs say why it ended
		}
	}()
	return done, <-started
}

func awaitReady(ctx context.Context, out *os.File) error {
	deadline := time.Now().Add(commandTimeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if err := out.SetReadDeadline(deadline); err != nil {
		return err
	}
	lines := bufio.NewReader(out)
	line, err := lines.ReadString('\n')
	if line == "ready\n" {
		return nil
	}
	if err == nil || err == io.EOF {
		rest, _ := io.ReadAll(lines)
		return fmt.Errorf("init said %q", strings.TrimSpace(line+string(rest)))
	}
	return err
}

// kill ends the init and, by the kernel's doing, every process below it, and waits
// for all of them. Twice is fine.
func (s *sandbox) kill() error {
	err := s.cmd.Process.Kill()
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill sandbox %s: %w", s.name, err)
	}
	select {
	case <-s.done:
		return nil
	case <-time.After(stopTimeout):
		return fmt.Errorf("kill sandbox %s: init %d still there after %s", s.name, s.pid, stopTimeout)
	}
}

// command is a command inside the sandbox, in the namespaces that the nsenter flags name.
func (s *sandbox) command(ctx context.Context, flags string, args ...string) *exec.Cmd {
	words := []string{"--target", strconv.Itoa(s.pid)}
	words = append(words, strings.Fields(flags)...)
	words = append(append(words, "--"), args...)
	cmd := exec.CommandContext(ctx, "/usr/bin/nsenter", words...)
	cmd.Env, cmd.Dir = hostEnv(), "/"
	return cmd
}

const (
	inNetwork = "--net"
	inAll     = "--net --mount --uts --ipc --pid"
)

// run runs a command to its end; its output is in the error when it fails.
func run(ctx context.Context, cmd func(context.Context) *exec.Cmd) error {
	ctx, cancel := context.WithTimeout(ctx, commandTimeout)
	defer cancel()
	c := cmd(ctx)
	out, err := c.CombinedOutput()
	if err != nil {
		return fmt.Errorf("run %q: %w: %s", c.Args, err, bytes.TrimSpace(out))
	}
	return nil
}

// ip runs iproute2 commands, one a line, in the network of s, or in this process's
// own if s is nil. All or, from the first that is refused, none of the rest.
func ip(ctx context.Context, s *sandbox, script string) error {
	return run(ctx, func(ctx context.Context) *exec.Cmd {
		var cmd *exec.Cmd
		if s == nil {
			cmd = exec.CommandContext(ctx, "/usr/bin/env", "ip", "-batch", "-")
			cmd.Env = hostEnv() // where env looks for ip
		} else {
			cmd = s.command(ctx, inNetwork, "ip", "-batch", "-")
		}
		cmd.Stdin = strings.NewReader(script)
		return cmd
	})
}

func hostEnv() []string {
	return []string{"PATH=" + systemPath, "HOME=/root", "LANG=C.UTF-8", "LC_ALL=C.UTF-8"}
}
