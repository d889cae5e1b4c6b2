package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/state"
)

func newExec(a *app) *cobra.Command {
	var tty, stdin bool
	cmd := &cobra.Command{
		Use:   "exec [flags] WORKLOAD[N] -- COMMAND [ARG ...]",
		Short: "Run a command in a running replica",
		Long: `Runs a command in a running replica and exits with its status. For a workload without a
number, the replica with the lowest one is taken.`,
		RunE: func(cmd *cobra.Command, words []string) error {
			if cmd.ArgsLenAtDash() != 1 || len(words) < 2 {
				return usageError(cmd, "it wants a replica, two dashes and a command: stowage exec 'web[0]' -- ls /")
			}
			return a.runExec(cmd.Context(), words[0], words[1:], tty, stdin)
		},
	}
	a.vars.add(cmd)
	cmd.Flags().BoolVarP(&tty, "tty", "t", a.inTTY && a.outTTY, "give the command a terminal (default: where there is one)")
	cmd.Flags().BoolVarP(&stdin, "interactive", "i", true, "pass standard input on")
	return cmd
}

func (a *app) runExec(ctx context.Context, name string, command []string, tty, stdin bool) error {
	s, snap, replicas, err := a.openReplicas(ctx, name)
	if err != nil {
		return err
	}
	defer s.close()
	h, err := hostOf(snap, replicas[0].Host)
	if err != nil {
		return err
	}
	e, err := s.pool.Engine(ctx, h)
	if err != nil {
		return err
	}
	x := providers.ExecRequest{Command: command, TTY: tty, Stdout: a.out, Stderr: a.err}
	if stdin {
		x.Stdin = a.in
	}
	status, err := a.execIn(ctx, e, replicas[0], x)
	switch {
	case errors.Is(err, providers.ErrNotRunning), errors.Is(err, providers.ErrNotFound):
		return diag.Diagnostic{Code: diag.CodeNoSuch, Summary: "The replica is not running", Detail: capital(err.Error()) + ".", Remedy: "stowage status"}
	case err != nil:
		return err
	case status != 0:
		return exitStatus(status)
	}
	return nil
}

// execIn runs the command, with this terminal handed over where it wants one.
func (a *app) execIn(ctx context.Context, e providers.Engine, r state.Replica, x providers.ExecRequest) (int, error) {
	if x.TTY {
		if old, err := term.MakeRaw(int(os.Stdin.Fd())); err == nil {
			defer func() { _ = term.Restore(int(os.Stdin.Fd()), old) }()
		}
		if w, h, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
			x.Size = providers.TerminalSize{Rows: uint(h), Columns: uint(w)}
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		sizes := make(chan providers.TerminalSize)
		done := make(chan struct{})
		go func() { defer close(done); watchSize(ctx, sizes) }()
		defer func() { cancel(); <-done }()
		x.Resize = sizes
	}
	return e.Exec(ctx, r.Container, x)
}

// watchSize sends the terminal's size now and at each change, until ctx ends; then it closes the channel.
func watchSize(ctx context.Context, sizes chan<- providers.TerminalSize) {
	defer close(sizes)
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	defer signal.Stop(changed)
	for {
		if w, h, err := term.GetSize(int(os.Stdout.Fd())); err == nil {
			select {
			case sizes <- providers.TerminalSize{Rows: uint(h), Columns: uint(w)}:
			case <-ctx.Done():
				return
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return
		}
	}
}
