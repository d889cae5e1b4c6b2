package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/state"
)

// numbers is which numbers of replicas people have set. A plan that brings the record in line with the hosts changes none of them;
// one that wants an older fleet leaves those alone that have ended, since it says nothing of the configuration; and where all is
// destroyed none is left.
func (p *Pass) numbers(w Wanted, snap *state.Snapshot, o Options) plan.Numbers {
	own := w.Own
	if own == nil {
		own = w.Fleet
	}
	n := plan.Override(own, snap, o.Override, p.Now().UTC())
	switch {
	case o.Mode == plan.RefreshOnly:
		n.Ended = nil
	case w.Own != nil:
		n.Ended = slices.DeleteFunc(n.Ended, func(e plan.Ended) bool { return o.Override == nil || e.Workload != o.Override.Workload })
	case o.Mode == plan.Destroy && len(o.Targets)+len(o.Excludes) == 0:
		for _, x := range n.InForce {
			n.Ended = append(n.Ended, plan.Ended{Override: x, Why: "everything is destroyed"})
		}
		n.InForce = nil
	}
	return n
}

// ErrNothingApplied is returned where a release is wanted and none was ever made.
var ErrNothingApplied = errors.New("nothing was applied yet")

// Applied is what the latest release wants, on the hosts that are declared now: for what changes a running fleet as it is and
// not as the configuration may say by now. ErrNothingApplied where there is no release.
func (p *Pass) Applied(ctx context.Context, own Wanted) (Wanted, state.Release, error) {
	snap, err := state.Load(ctx, p.Store)
	if err != nil {
		return Wanted{}, state.Release{}, err
	}
	if snap.Release == 0 {
		return Wanted{}, state.Release{}, ErrNothingApplied
	}
	r, err := state.LoadRelease(ctx, p.Store, snap.Release)
	if errors.Is(err, state.ErrNoRecord) {
		err = fmt.Errorf("%w since the state was made anew", ErrNothingApplied)
	}
	if err != nil {
		return Wanted{}, state.Release{}, err
	}
	return own.Of(r), r, nil
}

// Of is what a release wants, on the hosts that are declared now. Its images are pinned and stay what they were; its secrets are
// opened with today's values, so one whose value has changed since is missing. The configuration's checks are not held against it:
// it stood before.
func (w Wanted) Of(r state.Release) Wanted {
	f := r.Fleet
	f.Hosts = w.Fleet.Hosts
	f.Name = w.Fleet.Name
	return Wanted{Fleet: &f, Vault: w.Vault, Config: r.Config, Variables: w.Variables, Own: w.Fleet}
}

// Differs reports whether two releases want something else, hosts aside.
func Differs(a, b fleet.Fleet) bool {
	a.Hosts, b.Hosts = nil, nil
	return fingerprint(a) != fingerprint(b)
}

// fingerprint is a fleet as text, to compare two of them.
func fingerprint(f fleet.Fleet) string {
	b, err := json.Marshal(f)
	if err != nil {
		return "" // a fleet is data alone, and was read from JSON
	}
	return string(b)
}
