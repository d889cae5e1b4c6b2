package testfleet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// service is a daemon inside a sandbox.
type service struct {
	name string
	in   *sandbox
	cmd  *exec.Cmd     // the nsenter that started it and waits for it
	log  string        // what it wrote, as a path on this machine
	done chan struct{} // closed when it has ended
}

// startService starts a daemon and writes down its process id inside the sandbox,
// in /run/NAME.nspid. It does not wait until the daemon answers.
func startService(ctx context.Context, in *sandbox, name, logDir string, args ...string) (*service, error) {
	s := &service{name: name, in: in, log: filepath.Join(logDir, name+".log")}
	log, err := os.OpenFile(s.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer log.Close()
	script := `echo $$ > /run/` + name + `.nspid && exec "$@"`
	words := append([]string{"/bin/sh", "-c", script, name}, args...)
	// The daemon ends with its sandbox, not with the context of who started it.
	s.cmd = in.command(context.WithoutCancel(ctx), inAll, words...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if s.done, err = startOwned(s.cmd); err != nil {
		return nil, fmt.Errorf("start %s in %s: %w", name, in.name, err)
	}
	return s, nil
}

// signal sends sig (a name such as "STOP") to the daemon.
func (s *service) signal(ctx context.Context, sig string) error {
	err := run(ctx, func(ctx context.Context) *exec.Cmd {
		script := `read pid < "/run/$2.nspid" && kill -s "$1" "$pid"`
		return s.in.command(ctx, "--mount --pid", "/bin/sh", "-c", script, "signal", sig, s.name)
	})
	if err != nil {
		return fmt.Errorf("signal %s of %s: %w", s.name, s.in.name, err)
	}
	if sig == "STOP" {
		return nil
	}
	// nsenter stops itself when its child is stopped; it has to run to see the child end.
	if err := s.cmd.Process.Signal(syscall.SIGCONT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("continue nsenter of %s: %w", s.name, err)
	}
	return nil
}

// kill ends the daemon at once and waits for that. A daemon that is not there is fine.
func (s *service) kill(ctx context.Context) error {
	if s == nil || s.ended() {
		return nil
	}
	if err := s.signal(ctx, "KILL"); err != nil && !s.ended() {
		return err
	}
	return s.wait(ctx)
}

func (s *service) wait(ctx context.Context) error {
	timeout := time.NewTimer(stopTimeout)
	defer timeout.Stop()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of %s: %w", s.name, context.Cause(ctx))
	case <-timeout.C:
		return fmt.Errorf("wait for the end of %s: still there after %s", s.name, stopTimeout)
	}
}

func (s *service) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// release ends the nsenter of a daemon whose sandbox is about to be killed. It is the
// daemon's parent: stopped along with a frozen daemon it would not reap it, and the
// sandbox would wait for that for ever.
func (s *service) release() {
	if s == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may be gone already
	select {
	case <-s.done:
	case <-time.After(stopTimeout): // then the sandbox says that it does not end
	}
}

// await asks ready until it returns nil, the daemon ends or ctx does.
func (s *service) await(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.done:
			return fmt.Errorf("%s of %s ended: %s", s.name, s.in.name, tail(s.log))
		case <-ctx.Done():
			return fmt.Errorf("wait for %s of %s: %w (%w): %s", s.name, s.in.name, context.Cause(ctx), err, tail(s.log))
		}
	}
}

// tail is the end of a log, short enough for an error message.
func tail(path string) string {
	const most = 1500
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	if len(text) > most {
		text = append([]byte("... "), text[len(text)-most:]...)
	}
	return string(text)
}
