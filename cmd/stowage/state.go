package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/state"
)

func newState(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "state",
		Short: "Look at the record, and mend it",
		RunE: func(cmd *cobra.Command, words []string) error {
			if len(words) > 0 {
				return usageError(cmd, fmt.Sprintf("%q is not a command of 'stowage state'", words[0]))
			}
			return cmd.Help()
		},
		Args: cobra.ArbitraryArgs,
	}
	for _, c := range []*cobra.Command{newStateList(a), newStateShow(a), newStateRemove(a)} {
		a.vars.add(c)
		cmd.AddCommand(c)
	}
	cmd.AddCommand(newStateRebuild(a))
	return cmd
}

// recordLine is one recorded object: its address, and a line for people.
type recordLine struct {
	addr fleet.Addr
	text string
}

// recordLines lists everything recorded, ordered by address.
func recordLines(snap *state.Snapshot) []recordLine {
	var out []recordLine
	add := func(a fleet.Addr, format string, args ...any) {
		out = append(out, recordLine{a, string(a) + "  " + fmt.Sprintf(format, args...)})
	}
	for n, h := range snap.Hosts {
		address := h.Host.Address
		if address == "" {
			address = "this machine"
		}
		add(fleet.HostAddr(n), "%s", address)
	}
	ids := make([]fleet.ReplicaID, 0, len(snap.Replicas))
	for id := range snap.Replicas {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, fleet.ReplicaID.Compare)
	for _, v := range snap.Volumes {
		add(fleet.VolumeAddr(v.Name), "%s on %s", v.Engine, v.Host)
	}
	for _, n := range snap.Networks {
		add(fleet.NetworkAddr(n.Name), "%s on %s", n.Engine, n.Host)
	}
	slices.SortStableFunc(out, func(a, b recordLine) int { return strings.Compare(a.text, b.text) })
	for _, id := range ids {
		r := snap.Replicas[id]
		if r.Container == "" {
			add(id.Addr(), "vacant; last on %s, generation %d", r.Host, r.Generation)
		} else {
			add(id.Addr(), "on %s, generation %d, revision %s, id %.12s", r.Host, r.Generation, r.Revision.Short(), r.Container)
		}
	}
	return out
}

func newStateList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list [ADDR ...]",
		Short: "List the addresses that are recorded",
		RunE: func(cmd *cobra.Command, wanted []string) error {
			return a.withRecord(cmd.Context(), func(s *session, snap *state.Snapshot) error {
				for _, l := range recordLines(snap) {
					if len(wanted) == 0 || covered(l.addr, wanted) {
						fmt.Fprintln(s.out, l.addr)
					}
				}
				return nil
			})
		},
	}
}

func covered(a fleet.Addr, by []string) bool {
	return slices.ContainsFunc(by, func(s string) bool { return fleet.Addr(s).Covers(a) })
}

// withRecord runs f with an open session and what is recorded.
func (a *app) withRecord(ctx context.Context, f func(*session, *state.Snapshot) error) error {
	s, err := a.openSession(ctx, &a.vars)
	if err != nil {
		return err
	}
	defer s.close()
	snap, err := s.recorded(ctx)
	if err != nil {
		return err
	}
	return f(s, snap)
}

func newStateShow(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "show ADDR",
		Short: "Show what is recorded under an address, as JSON",
		Args:  args(1, 1, "an address, such as 'workload.web[0]'"),
		RunE: func(cmd *cobra.Command, words []string) error {
			return a.withRecord(cmd.Context(), func(s *session, snap *state.Snapshot) error {
				found := recordOf(snap, fleet.Addr(words[0]))
				if found == nil {
					return notRecorded(words[0])
				}
				return writeJSON(s.out, found)
			})
		},
	}
}

func notRecorded(addr string) error {
	return diag.Diagnostic{Code: diag.CodeStateMissing, Summary: "Nothing is recorded under that address",
		Detail: fmt.Sprintf("%s is not in the record.", addr), Remedy: "stowage state list"}
}

// recordOf returns the record under an address; nil: there is none.
func recordOf(snap *state.Snapshot, a fleet.Addr) any {
	if id, ok := a.Replica(); ok {
		if r, ok := snap.Replicas[id]; ok {
			return map[string]any{"replica": r, "spec": snap.Specs[r.Revision]}
		}
	}
	switch a.Kind() {
	case fleet.KindHost:
		if h, ok := snap.Hosts[fleet.HostName(a.Name())]; ok {
			return h
		}
	case fleet.KindWorkload:
		if w, ok := snap.Workloads[fleet.WorkloadName(a.Name())]; ok {
			return w
		}
	case fleet.KindVolume:
		if i := slices.IndexFunc(snap.Volumes, func(v state.Volume) bool { return fleet.VolumeAddr(v.Name) == a }); i >= 0 {
			return snap.Volumes[i]
		}
	case fleet.KindNetwork:
		if i := slices.IndexFunc(snap.Networks, func(n state.Network) bool { return fleet.NetworkAddr(n.Name) == a }); i >= 0 {
			return snap.Networks[i]
		}
	}
	return nil
}

// recordJSON is everything recorded, for programs. The key of the fingerprints stays where it is.
func recordJSON(snap *state.Snapshot) any {
	replicas := []state.Replica{}
	for _, r := range snap.Replicas {
		replicas = append(replicas, r)
	}
	slices.SortFunc(replicas, func(a, b state.Replica) int { return a.Replica.Compare(b.Replica) })
	return map[string]any{"format_version": "1.0", "fleet": snap.Meta.Name, "id": snap.Meta.ID, "serial": snap.Serial, "release": snap.Release,
		"replicas": replicas, "workloads": snap.Workloads, "volumes": snap.Volumes, "networks": snap.Networks, "hosts": snap.Hosts,
		"intents": snap.Intents, "debts": snap.Debts}
}

func newStateRemove(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "rm ADDR ...",
		Short: "Forget what is recorded, without touching it",
		Long: `Drops replicas, volumes, networks or hosts from the record. Nothing on a host changes. A host takes all that is
recorded on it along: so one is given up that will never answer again. A container that is
forgotten still carries this fleet's labels: the next plan finds it and adopts it where it is wanted, or removes it.`,
		Args: args(1, -1, "at least one address"),
		RunE: func(cmd *cobra.Command, words []string) error {
			ctx := cmd.Context()
			return a.withRecord(ctx, func(s *session, snap *state.Snapshot) error {
				lock, err := s.lock(ctx, "state rm", 0)
				if err != nil {
					return err
				}
				defer lock.Unlock()
				var c state.Changes
				for _, w := range words {
					if !forget(&c, snap, fleet.Addr(w)) {
						return notRecorded(w)
					}
				}
				txns, err := c.Txn(lock.Epoch())
				if err != nil {
					return err
				}
				for _, t := range txns {
					if _, err := s.store.Commit(ctx, t); err != nil {
						return err
					}
				}
				fmt.Fprintf(s.out, "Forgot %d objects. Nothing on a host was changed.\n", c.Len())
				return nil
			})
		},
	}
}

// forget notes the deletion of every record that an address covers, and reports whether there is any. A host takes what is
// recorded on it along: that is how one is given up that will never answer again.
func forget(c *state.Changes, snap *state.Snapshot, a fleet.Addr) bool {
	n := c.Len()
	on := func(h fleet.HostName) bool { return a.Covers(fleet.HostAddr(h)) }
	for id, r := range snap.Replicas {
		if a.Covers(id.Addr()) || on(r.Host) {
			c.DeleteReplica(id)
		}
	}
	for _, v := range snap.Volumes {
		if a.Covers(fleet.VolumeAddr(v.Name)) || on(v.Host) {
			c.DeleteVolume(v.Host, v.Engine)
		}
	}
	for _, v := range snap.Networks {
		if a.Covers(fleet.NetworkAddr(v.Name)) || on(v.Host) {
			c.DeleteNetwork(v.Host, v.Engine)
		}
	}
	for h := range snap.Hosts {
		if on(h) {
			c.DeleteHost(h)
		}
	}
	for _, i := range snap.Intents {
		if on(i.Host) {
			c.DeleteIntent(i.Op)
		}
	}
	for _, d := range snap.Debts {
		if on(d.Host) {
			c.DeleteDebt(d.Host)
		}
	}
	return c.Len() > n
}
