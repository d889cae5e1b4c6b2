package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

func newStatus(a *app) *cobra.Command {
	var shape formatFlags
	var watch bool
	cmd := &cobra.Command{
		Use:     "status [flags]",
		Aliases: []string{"ps"},
		Short:   "Show hosts, workloads and replicas as they are now",
		Args:    args(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			as, err := shape.format(cmd)
			if err != nil {
				return err
			}
			if watch && as == formatSVG {
				return usageError(cmd, "-watch and -format=svg exclude each other: a drawing is one document")
			}
			ctx := cmd.Context()
			s, err := a.openSession(ctx, &a.vars)
			if err != nil {
				return err
			}
			defer s.close()
			if !watch {
				return s.showStatus(ctx, as, "")
			}
			return s.watchStatus(ctx, as)
		},
	}
	a.vars.add(cmd)
	shape.define(cmd, "write JSON: -format=json")
	cmd.Flags().BoolVar(&watch, "watch", false, "show it again every two seconds, until Ctrl-C")
	return cmd
}

// watchStatus shows the status again and again. Two seconds is what people perceive as live and hosts do not feel.
func (s *session) watchStatus(ctx context.Context, as format) error {
	tick := time.NewTicker(2 * time.Second)
	defer tick.Stop()
	for {
		before := ""
		if s.outTTY && as == formatText {
			before = "\x1b[H\x1b[2J"
		}
		err := s.showStatus(ctx, as, before)
		if ctx.Err() != nil {
			return nil // Ctrl-C is how watching ends, also in the midst of a look
		}
		if err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// statusReport is what `status` shows.
type statusReport struct {
	FormatVersion string           `json:"format_version"`
	Fleet         fleet.Name       `json:"fleet"`
	ID            fleet.ID         `json:"id"`
	Release       fleet.Release    `json:"release"`
	Hosts         []hostStatus     `json:"hosts"`
	Workloads     []workloadStatus `json:"workloads"`
	Replicas      []replicaStatus  `json:"replicas"`
	Strays        []strayStatus    `json:"strays,omitempty"`
	Rollouts      []rolloutStatus  `json:"rollouts,omitempty"`
	Overrides     []overrideStatus `json:"overrides,omitempty"`
	Debts         []state.Debt     `json:"debts,omitempty"`
	Intents       []state.Intent   `json:"intents,omitempty"`
	Locked        *state.Holder    `json:"locked,omitempty"`
}

type hostStatus struct {
	Name     fleet.HostName   `json:"name"`
	Address  string           `json:"address,omitempty"`
	Engine   string           `json:"engine,omitempty"`
	Answers  bool             `json:"answers"`
	Why      string           `json:"why,omitempty"`
	Replicas int              `json:"replicas"`
	Reserved fleet.Resources  `json:"reserved"`
	Capacity *fleet.Resources `json:"capacity,omitempty"`
}

type workloadStatus struct {
	Name    fleet.WorkloadName `json:"name"`
	Running int                `json:"running"`
	Wanted  int                `json:"wanted"`
	Image   string             `json:"image"`
	Old     int                `json:"on_older_revision,omitempty"`
	Job     bool               `json:"job,omitempty"` // Running are its runs that have completed too
}

type replicaStatus struct {
	Addr      fleet.Addr        `json:"address"`
	Host      fleet.HostName    `json:"host"`
	State     string            `json:"state"`
	Detail    string            `json:"detail,omitempty"`
	Since     time.Time         `json:"since,omitzero"`
	Ports     map[string]uint16 `json:"ports,omitempty"`
	Container string            `json:"container"`
	ID        string            `json:"id"`
	Revision  fleet.Revision    `json:"revision"`
	Restarts  int               `json:"restarts,omitempty"`
}

// strayStatus is a container of ours that the record does not have.
type strayStatus struct {
	Name string         `json:"name"`
	Host fleet.HostName `json:"host"`
}

// showStatus looks at every host and prints what it sees, after before: a screen is cleared only when there is something to
// put in place of what it shows.
func (s *session) showStatus(ctx context.Context, as format, before string) error {
	snap, err := s.recorded(ctx)
	if err != nil {
		return err
	}
	var hosts []fleet.Host
	for _, n := range sortedKeys(snap.Hosts) {
		hosts = append(hosts, snap.Hosts[n].Host)
	}
	var view fleet.View
	if len(hosts) > 0 {
		view, _ = s.pass(nil).Look(ctx, snap.Meta.ID, hosts, nil)
	}
	if err := ctx.Err(); err != nil {
		return err // a look that was broken off says nothing of the hosts
	}
	r := makeStatus(snap, view)
	r.Overrides = overrideRows(snap, s.now())
	if r.Locked, err = s.store.Holder(ctx); err != nil {
		return err
	}
	switch as {
	case formatJSON:
		return writeJSON(s.out, r)
	case formatSVG:
		_, err := s.out.Write(drawStatus(snap, view, r))
		return err
	}
	fmt.Fprint(s.out, before)
	s.printStatus(r)
	return nil
}
