package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/reconcile"
	"github.com/stowage-run/stowage/state"
	"github.com/stowage-run/stowage/state/bolt"
)

func newStateRebuild(a *app) *cobra.Command {
	var vars variableFlags
	var id string
	cmd := &cobra.Command{
		Use:   "rebuild [flags]",
		Short: "Make the record anew from the labels on the hosts",
		Long: `Reads the labels of all containers, volumes and networks on the declared hosts and writes the record
that they tell of. Nothing on a host changes. A damaged state is kept beside the new one.`,
		Args: args(0, 0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, err := a.openSession(ctx, &vars)
			if err != nil {
				return err
			}
			defer s.close()
			if err := s.setDamagedAside(ctx); err != nil {
				return err
			}
			lock, err := s.lock(ctx, "state rebuild", 0)
			if err != nil {
				return err
			}
			defer lock.Unlock()
			w, err := s.wantedForRebuild(ctx)
			if err != nil {
				return err
			}
			got, err := s.pass(nil).Rebuild(ctx, reconcile.RebuildRequest{Fleet: w, ID: fleet.ID(id), Lock: lock, Random: rand.Reader})
			if err != nil {
				return err
			}
			s.printRebuilt(got)
			return nil
		},
	}
	vars.add(cmd)
	cmd.Flags().StringVar(&id, "fleet", "", "the `UUID` of the fleet, where the hosts hold several of this name")
	return cmd
}

func (s *session) printRebuilt(r *reconcile.Rebuilt) {
	fmt.Fprintf(s.out, "Rebuilt the record of fleet %s (%s): %d replicas, %d volumes, %d networks. Nothing on a host was changed.\n",
		r.Meta.Name, r.Meta.ID, len(r.Replicas), len(r.Volumes), len(r.Networks))
	for _, h := range sortedKeys(r.Unseen) {
		fmt.Fprintf(s.out, "  host %s could not be asked: what is on it is not in the record\n", h)
	}
	if n := len(r.NoSpec); n > 0 {
		fmt.Fprintf(s.out, "  %d revisions are of no workload that is declared now: the next apply replaces their replicas\n", n)
	}
	fmt.Fprintln(s.out, "\nNext:\n    stowage plan")
}

// setDamagedAside moves a damaged state out of the way, so that a new one can be written. An undamaged one stays.
func (s *session) setDamagedAside(ctx context.Context) error {
	_, err := s.recorded(ctx)
	if err == nil || !errors.Is(err, state.ErrDamaged) {
		return err
	}
	b, ok := s.store.(*bolt.Store)
	if !ok {
		return err
	}
	aside, err := b.SetAside(ctx, s.now())
	if err != nil {
		return fmt.Errorf("set the damaged state aside: %w", err)
	}
	fmt.Fprintf(s.err, "The damaged state was kept as %s\n", aside)
	return nil
}

// wantedForRebuild evaluates the configuration without making an identity: the identity is what is being looked for.
func (s *session) wantedForRebuild(ctx context.Context) (*fleet.Fleet, error) {
	snap, err := s.recorded(ctx)
	if err != nil {
		return nil, err
	}
	d, diags := s.config.Evaluate(ctx, func(v string) fleet.Fingerprint { return fleet.Seal(snap.Meta.SealKey, v) })
	if err := s.settle(diags); err != nil {
		return nil, err
	}
	s.ranges = d.Ranges
	return d.Fleet, nil
}
