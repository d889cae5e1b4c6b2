package apply

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/state"
)

// begin checks that the plan may be carried out, and records that it is. Nothing on any host has been
// touched when it returns; with an error nothing will be.
//
// The plan's own record is written on the condition that there is none, which is what makes a plan run
// once. Guards beyond what one transaction can hold are checked by reading alone: that is as good, since
// only the holder of the lock writes, and its epoch guards the transaction.
func (r *run) begin(ctx context.Context) (state.PlanRecord, error) {
	p := r.job.Plan
	none := state.PlanRecord{}
	snap, err := state.Load(ctx, r.job.Store)
	if err != nil {
		return none, err
	}
	if snap.Meta.ID != p.Fleet {
		return none, fmt.Errorf("%w: it is of fleet %s (%s), the state of %s (%s)",
			ErrForeign, p.Name, p.Fleet, snap.Meta.Name, snap.Meta.ID)
	}
	if err := r.unused(ctx); err != nil {
		return none, err
	}
	if stale := staleKeys(p, snap); len(stale) > 0 {
		return none, &StaleError{stale}
	}
	if missing := missingSecrets(p, r.job.Vault); len(missing) > 0 {
		return none, &SecretError{missing}
	}
	r.snap = snap
	record := state.PlanRecord{
		ID: p.ID, Release: p.Release, Trigger: r.job.Trigger, Who: r.job.Who,
		Started: r.job.Now().UTC(), Result: state.PlanRunning, Summary: summary(p.Counts()),
	}
	return record, r.open(ctx, snap, record)
}

// unused is an error where the plan was applied already.
func (r *run) unused(ctx context.Context) error {
	rec, err := state.LoadPlan(ctx, r.job.Store, r.job.Plan.ID)
	switch {
	case errors.Is(err, state.ErrNoRecord):
		return nil
	case err != nil:
		return err
	}
	return &UsedError{rec}
}

// staleKeys returns the records that have changed since the plan was made.
func staleKeys(p *plan.Plan, snap *state.Snapshot) []state.Key {
	var keys []state.Key
	for _, g := range p.Guards {
		if snap.Serials[g.Key] != g.Serial {
			keys = append(keys, g.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

// open writes the records that come before the first step.
func (r *run) open(ctx context.Context, snap *state.Snapshot, record state.PlanRecord) error {
	p := r.job.Plan
	c := r.opening(snap, record)
	conditions := []state.Condition{{Key: state.PlanKey(p.ID)}}
	for _, g := range p.Guards[:min(len(p.Guards), state.MaxTxnOps-1)] {
		conditions = append(conditions, state.Condition{Key: g.Key, Serial: g.Serial})
	}
	txns, err := c.Txn(r.job.Lock.Epoch(), conditions...)
	if err != nil {
		return fmt.Errorf("record plan %s: %w", p.ID, err)
	}
	for _, t := range txns {
		_, err := r.job.Store.Commit(ctx, t)
		if errors.Is(err, state.ErrConflict) {
			return r.explain(ctx, err)
		}
		if err != nil {
			return fmt.Errorf("record plan %s: %w", p.ID, err)
		}
	}
	return nil
}

// explain says which condition of the opening transaction did not hold.
func (r *run) explain(ctx context.Context, conflict error) error {
	if err := r.unused(ctx); err != nil {
		return err
	}
	snap, err := state.Load(ctx, r.job.Store)
	if err != nil {
		return errors.Join(conflict, err)
	}
	return &StaleError{staleKeys(r.job.Plan, snap)}
}

// opening is what is recorded before the first step, the plan's own record first.
func (r *run) opening(snap *state.Snapshot, record state.PlanRecord) *state.Changes {
	p := r.job.Plan
	c := &state.Changes{}
	c.PutPlan(record)
	for _, o := range p.Overrides {
		c.PutOverride(o)
	}
	for _, o := range p.Ended {
		c.DeleteOverride(o.Workload)
	}
	if p.Mode != plan.RefreshOnly && p.Release > snap.Release {
		c.PutRelease(state.Release{
			Number: p.Release, Plan: p.ID, Made: record.Started, Who: r.job.Who, Why: r.job.Trigger,
			Config: p.Config, Commit: r.job.Commit, Fleet: closed(p.Desired),
		})
		for _, w := range p.Desired.Workloads {
			c.PutWorkload(w)
		}
	}
	r.addRollouts(c)
	for _, rev := range slices.Sorted(maps.Keys(p.Specs)) {
		c.PutSpec(rev, p.Specs[rev])
	}
	for _, h := range r.hostRecords(snap) {
		c.PutHost(h)
	}
	for _, i := range leftovers(p.Steps, snap) {
		op, _ := r.opOf(i)
		c.PutIntent(r.intent(&p.Steps[i], op))
	}
	return c
}

// leftovers are the removals of containers that no record names: a run that was cut off has left them, with an
// intent that is about to be resolved. So that something names them until they are gone, the intents to remove them come first.
func leftovers(steps []plan.Step, snap *state.Snapshot) []int {
	recorded := make(map[string]bool, len(snap.Replicas))
	for _, r := range snap.Replicas {
		recorded[r.Container] = true
	}
	var out []int
	for i := range steps {
		if s := &steps[i]; s.Kind == plan.KindRemove && !recorded[s.Container.ID] {
			out = append(out, i)
		}
	}
	return out
}

// hostRecords says how each host is reached that has, or is about to get, something of ours.
func (r *run) hostRecords(snap *state.Snapshot) []state.Host {
	hosts := maps.Clone(r.hosts)
	for _, h := range r.job.Plan.Desired.Hosts {
		if _, ok := snap.Hosts[h.Name]; ok {
			hosts[h.Name] = h
		}
	}
	var out []state.Host
	for _, n := range slices.Sorted(maps.Keys(hosts)) {
		rec := state.Host{Host: hosts[n], EngineID: snap.Hosts[n].EngineID}
		if id := r.job.Engines[n]; id != "" {
			rec.EngineID = id
		}
		out = append(out, rec)
	}
	return out
}

// closed is the fleet without the values of its sensitive outputs.
func closed(f fleet.Fleet) fleet.Fleet {
	f.Outputs = slices.Clone(f.Outputs)
	for i := range f.Outputs {
		if f.Outputs[i].Sensitive {
			f.Outputs[i].Value = nil
		}
	}
	return f
}

// missingSecrets says where the secrets are used that the plan needs and the vault does not hold.
func missingSecrets(p *plan.Plan, v fleet.Vault) []string {
	missing := map[fleet.Fingerprint]bool{}
	for _, f := range p.Sealed {
		if _, ok := v[f]; !ok {
			missing[f] = true
		}
	}
	if len(missing) == 0 {
		return nil
	}
	var uses []string
	used := map[fleet.Fingerprint]bool{}
	note := func(t fleet.Text, place, where string) {
		if missing[t.Sealed] {
			used[t.Sealed] = true
			uses = append(uses, place+" of "+where)
		}
	}
	for _, w := range p.Desired.Workloads {
		where := string(w.Addr())
		for k, t := range w.Spec.Env {
			note(t, "env."+k, where)
		}
		for _, f := range w.Spec.Files {
			note(f.Content, "file "+f.Path, where)
		}
	}
	for f := range missing {
		if !used[f] {
			uses = append(uses, "something that is no longer declared")
		}
	}
	slices.Sort(uses)
	return slices.Compact(uses)
}

// summary is the plan's counts as one line.
func summary(c plan.Counts) string {
	return fmt.Sprintf("%d to replace, %d to move, %d to add, %d to change, %d to destroy",
		c.Replace, c.Move, c.Add, c.Change, c.Destroy)
}
