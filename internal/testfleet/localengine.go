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

	"github.com/docker/docker/client"
)

// Daemon is a dockerd in this machine's own namespaces, as an installation has it.
// Like every dockerd it changes the machine's iptables and makes bridges, and leaves
// them when it ends: tests use Fleet.Local, this is for people who want an engine.
type Daemon struct {
	Socket  string
	Log     string // "" if it ran already
	Started bool   // false: an engine answered at the socket before
	Pid     int    // 0 if it ran already

	api  *client.Client
	done chan struct{}
	cmd  *exec.Cmd
}

// LocalEngine makes sure that an engine answers at socket: the one that does, or a
// dockerd with its data below dir. It outlives this process, until Close or a SIGTERM
// to Pid. With dir "" it is the machine's usual engine, with the usual directories.
func LocalEngine(ctx context.Context, socket, dir string) (*Daemon, error) {
	api, err := engineClient(socket)
	if err != nil {
		return nil, err
	}
	d := &Daemon{Socket: socket, api: api}
	if d.ping(ctx) == nil {
		return d, nil
	}
	if err := Check(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := d.start(dir); err != nil {
		return nil, fmt.Errorf("start local engine: %w", err)
	}
	if err := d.await(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start local engine: %w", err), d.Close())
	}
	return d, nil
}

// EngineAnswers reports whether an engine answers at socket. It starts nothing.
func EngineAnswers(ctx context.Context, socket string) bool {
	api, err := engineClient(socket)
	return err == nil && (&Daemon{api: api}).ping(ctx) == nil
}

func (d *Daemon) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := d.api.Ping(ctx)
	return err
}

func (d *Daemon) start(dir string) error {
	path, err := find("dockerd")
	if err != nil {
		return err
	}
	args := []string{"--host", "unix://" + d.Socket}
	d.Log = "/var/log/dockerd.log"
	if dir != "" {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return err
		}
		d.Log = filepath.Join(dir, "dockerd.log")
		args = append(args, "--data-root", filepath.Join(dir, "data"),
			"--exec-root", filepath.Join(dir, "exec"), "--pidfile", filepath.Join(dir, "pid"))
	}
	log, err := os.OpenFile(d.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	d.cmd = exec.Command(path, args...)
	d.cmd.Env, d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr = hostEnv(), "/", log, log
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := d.cmd.Start(); err != nil {
		return err
	}
	d.Started, d.Pid, d.done = true, d.cmd.Process.Pid, make(chan struct{})
	go func() {
		defer close(d.done)
		_ = d.cmd.Wait() // its log says why it ended
	}()
	return nil
}

func (d *Daemon) await(ctx context.Context) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := d.ping(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-d.done:
			return fmt.Errorf("dockerd ended: %s", tail(d.Log))
		case <-ctx.Done():
			return fmt.Errorf("wait for dockerd: %w (%w): %s", context.Cause(ctx), err, tail(d.Log))
		}
	}
}

// LoadImage loads an archive in the format of docker save.
func (d *Daemon) LoadImage(ctx context.Context, archive string) error {
	if err := loadImage(ctx, d.api, archive); err != nil {
		return fmt.Errorf("load image %s: %w", archive, err)
	}
	return nil
}

// Close ends a dockerd that LocalEngine started, and its containers with it. Its data
// stay. One that ran already runs on.
func (d *Daemon) Close() error {
	if !d.Started {
		return nil
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end dockerd: %w", err)
	}
	select {
	case <-d.done:
		return nil
	case <-time.After(stopTimeout):
		return fmt.Errorf("end dockerd: %d still there after %s", d.Pid, stopTimeout)
	}
}
