// Package reconcile is one pass of Stowage: look at every host, decide what should stand where, compare
// that with what does, and carry out the difference. The command line and the daemon both go through it.
//
// This file is the story; the chapters are look.go (what do the hosts say), place.go (what the scheduler
// is told), images.go (what a tag stands for), assume.go (planning without looking) and rebuild.go (a
// state made anew from the hosts).
package reconcile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stowage-run/stowage/apply"
	"github.com/stowage-run/stowage/diag"
	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/schedule"
	"github.com/stowage-run/stowage/state"
)

// Pass is what a pass works with. It holds nothing open itself and may be used again and again, also from
// several goroutines: what keeps two applies apart is the state's lock.
type Pass struct {
	Store    state.Store
	Hosts    providers.Connector
	Local    func(context.Context) (providers.Engine, error) // this machine's engine, to send images from; nil: none
	Registry providers.Registry                              // nil: no registry is asked
	Now      func() time.Time
	NewID    func() string  // UUIDs
	Chance   func() float64 // for the pauses between tries; nil: math/rand
	Who      string         // user@host
	Version  string         // of Stowage
	Observe  func(apply.Event)

	engines engineIDs
}

// Wanted is what somebody wants: a fleet, the secrets behind it, and what the two were made from.
type Wanted struct {
	Fleet     *fleet.Fleet
	Vault     fleet.Vault
	Config    string                     // digest of the configuration
	Variables map[string]json.RawMessage // that it was evaluated with, without sensitive ones

	// Checks are what the configuration says must hold, each a function from what losses would do to what fails. An
	// error among that fails the plan. A saved plan passed them when it was made, and is not held against them again.
	Checks []func(fleet.Survival) diag.List

	// Own is the configuration's own fleet where Fleet is another, as that of an older release is: overrides are held against
	// its numbers. Nil: Fleet.
	Own *fleet.Fleet
}

// Options is how a plan is to be made.
type Options struct {
	Mode     plan.Mode // empty: plan.Normal
	Targets  []fleet.Addr
	Excludes []fleet.Addr
	Replaces []fleet.Addr
	Because  string // the reason of Replaces, for people; empty: that they were asked for
	Volumes  bool   // with plan.Destroy: volumes too, and their data

	Rebalance bool         // also move what could stay, as little as restores the spread
	Suppose   *Supposition // nil: nothing; else the plan is an answer that is never carried out
	Force     bool         // try again what has failed and not changed since
	Stowage   bool         // fill in plan.Plan.Stowage, for a drawing

	// Override is one that the plan is to make, or to end where it sets the configuration's own number; nil: none.
	Override *state.Override

	// NoRefresh plans from the record alone, as if every host were as recorded. Hosts on which an earlier
	// run left something open are looked at all the same.
	NoRefresh bool

	// Looked is told what the hosts said and, as errors, why some did not. It may be nil.
	Looked func(fleet.View, map[fleet.HostName]error)
}

// Plan looks at all hosts at once and returns what would change. It changes nothing anywhere, takes no
// lock, and works with hosts that do not answer: they are unknown, stay as they are, and stand in
// Plan.Skipped. Mistakes of people come as a *diag.ListError.
func (p *Pass) Plan(ctx context.Context, w Wanted, o Options) (*plan.Plan, error) {
	in, question, err := p.weigh(ctx, w, o)
	if err != nil {
		return nil, err
	}
	standing := schedule.Stand(question)
	in.Assignment = standing.Assignment()
	survival := make(chan *fleet.Survival)
	go func() { survival <- surviving(standing, in.Desired, o.Mode) }() // it takes as long as the plan

	pl, diags := plan.Make(*in)
	in.Survival = <-survival
	if !diags.HasErrors() {
		pl.Survival = in.Survival
		diags = append(diags, w.hold(in)...)
	}
	return pl, diags.Err()
}

// surviving says what the fleet survives, where that is asked.
func surviving(s *schedule.Standing, f *fleet.Fleet, m plan.Mode) *fleet.Survival {
	if m != "" && m != plan.Normal {
		return nil
	}
	survival := withoutJobs(s.Survival(), f)
	return &survival
}

// weigh looks at all hosts at once and gathers what a placement and a plan depend on.
func (p *Pass) weigh(ctx context.Context, w Wanted, o Options) (*plan.Input, schedule.Input, error) {
	var none schedule.Input
	snap, err := state.Load(ctx, p.Store)
	if err != nil {
		return nil, none, err
	}
	if snap.Meta.ID == "" {
		return nil, none, errors.New("plan: the fleet has no identity yet: state.EnsureMeta comes first")
	}

	view := p.see(ctx, snap, w.Fleet, o)
	numbers := p.numbers(w, snap, o)
	wanted, view, whatIf, diags := o.Suppose.suppose(numbers.On(w.Fleet), view)
	if err := diags.Err(); err != nil {
		return nil, none, err
	}
	inventory := plan.Match(snap, view)

	pinned, answers, notes, err := p.pin(ctx, wanted, snap, view, o.Mode)
	if err != nil {
		return nil, none, err
	}

	opt := plan.Options{
		ID: p.NewID(), Tool: p.Version, Now: p.Now().UTC(), Mode: o.Mode,
		Targets: o.Targets, Excludes: o.Excludes, Replaces: o.Replaces, ReplaceWhy: o.Because, Volumes: o.Volumes,
		WhatIf: whatIf, Stowage: o.Stowage, Config: w.Config, Variables: w.Variables,
	}
	frozen, diags := plan.Frozen(pinned, snap, inventory, opt)
	if err := diags.Err(); err != nil {
		return nil, none, err
	}
	pinned, held, waiting := plan.Hold(pinned, snap, o.Force)
	pinned = numbers.On(pinned) // also where what is wanted gave way to what was good
	inventory.Settle(pinned, snap)
	held = slices.DeleteFunc(held, func(h plan.Held) bool { return frozen[h.Workload] }) // the plan is about others
	maps.Copy(frozen, waiting)
	in := plan.Input{
		Held: held, Overrides: numbers.InForce, Ended: numbers.Ended, Desired: pinned, Snapshot: snap, View: view, Inventory: inventory, Images: notes, Answers: answers, Options: opt,
	}
	return &in, question(&in, frozen, o.Rebalance), nil
}

// ApplyOptions is how a plan is to be carried out.
type ApplyOptions struct {
	AllowUnreachable bool            // leave silent hosts out, and record what they are owed
	Stop             <-chan struct{} // closed: start no more steps, finish those under way
	PerHost          int             // calls at once on one host; 0: apply.DefaultPerHost
	Trigger          string          // "apply", "destroy", ...
	Commit           string          // of the configuration's repository
}

// Apply carries out a plan, under a lock that the caller holds. Nothing is changed where the plan is stale, used
// or another fleet's, where a secret is missing, or where a host does not answer and that is not allowed: these
// come as a *diag.ListError. What failed on the hosts is in the report.
func (p *Pass) Apply(ctx context.Context, pl *plan.Plan, v fleet.Vault, lock state.Lock, o ApplyOptions) (*apply.Report, error) {
	if pl.WhatIf != nil {
		return nil, errors.New("apply: the plan answers what if, and is not to be carried out")
	}
	silent := p.reach(ctx, pl)
	if err := refuseSilent(pl, silent, o); err != nil {
		return nil, err
	}
	rep, err := apply.Run(ctx, apply.Job{
		Plan: pl, Vault: v, Store: p.Store, Lock: lock,
		Hosts: p.Hosts, Registry: p.Registry, Local: p.Local, Engines: p.engines.all(),
		Now: p.Now, NewID: p.NewID, Chance: p.Chance, Observe: p.Observe,
		Stop: o.Stop, PerHost: o.PerHost, Who: p.Who, Trigger: o.Trigger, Commit: o.Commit,
		Unreachable: silent, AllowUnreachable: o.AllowUnreachable,
	})
	return rep, explain(pl, err)
}

// refused is an error for people with its cause beside it.
type refused struct {
	diag.ListError
	cause error
}

// Unwrap makes errors.Is see the cause and errors.As the diagnostics.
func (r *refused) Unwrap() []error { return []error{&r.ListError, r.cause} }

// explain turns the refusals of apply.Run into words for people.
func explain(pl *plan.Plan, err error) error {
	d := diag.Diagnostic{Affected: "Nothing was changed."}
	var stale *apply.StaleError
	var used *apply.UsedError
	var secret *apply.SecretError
	switch {
	case errors.As(err, &stale):
		d.Code, d.Summary = diag.CodeStalePlan, "The plan is stale"
		d.Detail = fmt.Sprintf("It was made at %s. Since then has changed: %s.", pl.Created.Format(time.RFC3339), first(stale.Keys, 3))
		d.Remedy = "stowage plan"
	case errors.As(err, &used):
		d.Code, d.Summary = diag.CodeUsedPlan, "The plan was applied already"
		d.Detail = fmt.Sprintf("A plan runs once. This one was applied at %s by %s, with the result: %s.",
			used.Record.Started.Format(time.RFC3339), used.Record.Who, used.Record.Result)
		d.Remedy = "stowage plan"
	case errors.As(err, &secret):
		d.Code, d.Summary = diag.CodeSecret, "A secret has another value than when the plan was made"
		d.Detail = secret.Error() + ". The plan holds a fingerprint of the value that it was made with."
		d.Remedy = "stowage plan"
	case errors.Is(err, apply.ErrForeign):
		d.Code, d.Summary = diag.CodeForeignPlan, "The plan is of another fleet"
		d.Detail = err.Error() + "."
		d.Remedy = "Apply it where it was made, or make a new one with stowage plan."
	default:
		return err
	}
	return &refused{diag.ListError{List: diag.List{d}}, err}
}
