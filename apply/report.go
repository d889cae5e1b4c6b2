package apply

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
	"github.com/stowage-run/stowage/state"
)

// Report is what came of a plan.
type Report struct {
	Result   state.PlanResult
	Release  fleet.Release
	Done     plan.Counts // objects whose every step is done
	Steps    int         // done
	Failures []Failure   // in the order of the steps
	Unknown  []Failure   // likewise: nobody knows whether they took effect; their intents stay
	Skipped  []Skip      // likewise
	Debts    []state.Debt
	Rollouts []RolloutEnd // in the order of the plan
	Outputs  []fleet.Output
	Duration time.Duration
}

// Failure is one step that was not done.
type Failure struct {
	Step plan.Step
	Err  error
}

// RolloutEnd is where a rollout was when the plan had been carried out.
type RolloutEnd struct {
	state.Rollout
	Err error // the first failure; an *UnhealthyError or *NotRunningError has the replica's last words
}

// Skip is one step that was never started.
type Skip struct {
	Step    plan.Step
	Because Because
}

// The classes of errors of Run, for errors.Is. With the first three nothing was changed.
var (
	ErrStale       = errors.New("what the plan relies on has changed since it was made")
	ErrUsed        = errors.New("the plan was applied already")
	ErrForeign     = errors.New("the plan is of another fleet")
	ErrInterrupted = errors.New("interrupted")
)

// StaleError is ErrStale with what has changed.
type StaleError struct {
	Keys []state.Key // sorted
}

// Error names the first few records.
func (e *StaleError) Error() string {
	var names []string
	for _, k := range e.Keys[:min(3, len(e.Keys))] {
		names = append(names, string(k))
	}
	s := strings.Join(names, ", ")
	if n := len(e.Keys) - len(names); n > 0 {
		s += fmt.Sprintf(" and %d more", n)
	}
	return fmt.Sprintf("%s: %s", ErrStale, s)
}

// Is makes the error an ErrStale.
func (e *StaleError) Is(target error) bool { return target == ErrStale }

// UsedError is ErrUsed with what came of the plan then.
type UsedError struct{ Record state.PlanRecord }

// Error says when.
func (e *UsedError) Error() string {
	return fmt.Sprintf("%s: at %s by %s, with result %s",
		ErrUsed, e.Record.Started.Format(time.RFC3339), e.Record.Who, e.Record.Result)
}

// Is makes the error an ErrUsed.
func (e *UsedError) Is(target error) bool { return target == ErrUsed }

// NotRunningError is a container that ended as soon as it was started.
type NotRunningError struct {
	Container string // its name
	ExitCode  int
	OOMKilled bool
	Reason    string   // what the engine says; untrusted text
	Logs      []string // the last lines of its output, at most 10; untrusted text
}

// Error says how it ended, without the logs.
func (e *NotRunningError) Error() string {
	s := fmt.Sprintf("%s ended as soon as it was started, with exit status %d", e.Container, e.ExitCode)
	if e.OOMKilled {
		s += ", killed for lack of memory"
	}
	if e.Reason != "" {
		s += ": " + e.Reason
	}
	return s
}

// SecretError is what the vault lacks. Nothing was changed.
type SecretError struct {
	Uses []string // where each is used, for people: "env.DB_PASSWORD of workload.db"; sorted
}

// Error names the places.
func (e *SecretError) Error() string {
	return "no value for the secret in " + strings.Join(e.Uses, ", ")
}

// sort puts everything into the order of the steps.
func (r *Report) sort() {
	byStep := func(a, b Failure) int { return a.Step.ID - b.Step.ID }
	slices.SortFunc(r.Failures, byStep)
	slices.SortFunc(r.Unknown, byStep)
	slices.SortFunc(r.Skipped, func(a, b Skip) int { return a.Step.ID - b.Step.ID })
	slices.SortFunc(r.Debts, func(a, b state.Debt) int { return strings.Compare(string(a.Host), string(b.Host)) })
}
