package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/internal/plaintext"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/remote"
	"github.com/stowage-run/stowage/state"
)

func newLogs(a *app) *cobra.Command {
	var follow, timestamps bool
	var tail int
	var since time.Duration
	cmd := &cobra.Command{
		Use:   "logs [flags] WORKLOAD[N]",
		Short: "Show the output of replicas, of all hosts together",
		Args:  args(1, 1, "a workload or a replica, such as web or 'web[2]'"),
		RunE: func(cmd *cobra.Command, names []string) error {
			o := providers.LogOptions{Follow: follow, Tail: tail}
			if since > 0 {
				o.Since = a.now().Add(-since)
			}
			return a.runLogs(cmd.Context(), names[0], o, timestamps)
		},
	}
	a.vars.add(cmd)
	fs := cmd.Flags()
	fs.BoolVarP(&follow, "follow", "f", false, "go on as more comes, until Ctrl-C or the end of the containers there are now")
	fs.IntVarP(&tail, "tail", "n", -1, "begin with the last `N` lines of each replica")
	fs.DurationVar(&since, "since", 0, "only what is younger, such as 10m")
	fs.BoolVarP(&timestamps, "timestamps", "t", false, "show when each line was written")
	return cmd
}

func (a *app) runLogs(ctx context.Context, name string, o providers.LogOptions, timestamps bool) error {
	s, snap, replicas, err := a.openReplicas(ctx, name)
	if err != nil {
		return err
	}
	defer s.close()
	view := &logView{s: s, stamps: timestamps, silent: map[fleet.HostName]bool{}}
	for _, r := range replicas {
		view.wide = max(view.wide, len(r.Replica.Addr().Name()))
	}
	if o.Follow {
		err = view.follow(ctx, snap, replicas, o)
	} else {
		err = view.merge(ctx, snap, replicas, o)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return nil // Ctrl-C is how following ends
	case err == nil && view.missed:
		return exitStatus(exitError)
	}
	return err
}

// logView prints lines with the name of the replica in front.
type logView struct {
	s      *session
	stamps bool
	wide   int

	mu     sync.Mutex // one line at a time; guards what follows
	silent map[fleet.HostName]bool
	missed bool // not everything could be shown
}

// line is one line with where it came from.
type logLine struct {
	replica int
	name    string
	providers.LogLine
}

func (v *logView) print(l logLine) error {
	c := v.s.color()
	colors := []func(string) string{c.cyan, c.green, c.yellow, c.bold}
	stamp := ""
	if v.stamps {
		stamp = l.Time.UTC().Format("2006-01-02T15:04:05.000Z") + " "
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	_, err := fmt.Fprintf(v.s.out, "%s %s%s\n", colors[l.replica%len(colors)](fmt.Sprintf("%-*s |", v.wide, l.name)), stamp, plaintext.Clean(l.Text))
	return err
}

// read streams one replica's lines. Where its host or its container does not give them, that is said, and the others go on.
func (v *logView) read(ctx context.Context, snap *state.Snapshot, i int, r state.Replica, o providers.LogOptions, emit func(logLine) error) error {
	var refused error
	err := v.stream(ctx, snap, r, o, func(l providers.LogLine) error {
		refused = emit(logLine{i, r.Replica.Addr().Name(), l})
		return refused
	})
	switch {
	case err == nil, refused != nil:
		return refused
	case ctx.Err() != nil:
		return ctx.Err()
	}
	v.miss(r, err)
	return nil
}

// stream hands on one replica's lines.
func (v *logView) stream(ctx context.Context, snap *state.Snapshot, r state.Replica, o providers.LogOptions, emit func(providers.LogLine) error) error {
	h, err := hostOf(snap, r.Host)
	if err != nil {
		return err
	}
	e, err := v.s.pool.Engine(ctx, h)
	if err != nil {
		return err
	}
	return e.Logs(ctx, r.Container, o, emit)
}

// miss says why a replica's lines are not shown, or no further: once for a host that cannot be asked.
func (v *logView) miss(r state.Replica, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.missed = true
	d := errorDiagnostic(err)
	if errors.Is(err, providers.ErrNotFound) {
		d = diag.Diagnostic{Code: diag.CodeNoSuch, Summary: "The replica's container is gone", Detail: capital(err.Error()) + ".", Remedy: "stowage plan"}
	}
	var re *remote.Error
	if errors.As(err, &re) || errors.Is(err, providers.ErrUnreachable) {
		if v.silent[r.Host] {
			return
		}
		v.silent[r.Host] = true
		d.Affected = fmt.Sprintf("The lines of replicas on %s are missing.", r.Host)
	} else {
		d.Affected = fmt.Sprintf("Lines of %s are missing.", r.Replica.Addr().Name())
	}
	v.s.point(&d, r.Host)
	v.s.printDiagnostics(diag.List{d})
}

// follow prints lines as they come.
func (v *logView) follow(ctx context.Context, snap *state.Snapshot, replicas []state.Replica, o providers.LogOptions) error {
	g, ctx := errgroup.WithContext(ctx)
	for i, r := range replicas {
		g.Go(func() error { return v.read(ctx, snap, i, r, o, v.print) })
	}
	return g.Wait()
}

// merge prints what there is, ordered by time across replicas. Each replica's stream is ordered already, so at any
// moment one line of each waits to be the earliest: the memory used does not grow with the length of the logs.
func (v *logView) merge(ctx context.Context, snap *state.Snapshot, replicas []state.Replica, o providers.LogOptions) error {
	g, ctx := errgroup.WithContext(ctx)
	streams := make([]chan logLine, len(replicas))
	for i, r := range replicas {
		streams[i] = make(chan logLine, 64)
		g.Go(func() error {
			defer close(streams[i])
			return v.read(ctx, snap, i, r, o, func(l logLine) error {
				select {
				case streams[i] <- l:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
		})
	}
	g.Go(func() error { return v.drain(streams) })
	return g.Wait()
}

// drain prints the earliest of the streams' next lines until all have ended.
func (v *logView) drain(streams []chan logLine) error {
	next := make([]*logLine, len(streams))
	take := func(i int) {
		next[i] = nil
		if l, ok := <-streams[i]; ok {
			next[i] = &l
		}
	}
	for i := range streams {
		take(i)
	}
	for {
		first := -1
		for i, l := range next {
			if l != nil && (first < 0 || l.Time.Before(next[first].Time)) {
				first = i
			}
		}
		if first < 0 {
			return nil
		}
		if err := v.print(*next[first]); err != nil {
			return err
		}
		take(first)
	}
}
