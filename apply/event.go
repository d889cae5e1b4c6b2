package apply

import (
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/plan"
)

// EventKind says what an Event tells.
type EventKind string

// The kinds of events. Every step that is not skipped has one EventStarted and one of EventDone,
// EventFailed and EventUnknown at the end, with any of the others in between.
const (
	EventStarted  EventKind = "started"
	EventProgress EventKind = "progress" // Event.Bytes of Event.Total have come; at most 10 a second and step
	EventStill    EventKind = "still"    // every 10 s of a step that lasts
	EventRetry    EventKind = "retry"    // Event.Err is why
	EventOutput   EventKind = "output"   // Event.Text is a line that a hook has written; untrusted text
	EventDone     EventKind = "done"
	EventFailed   EventKind = "failed"  // Event.Err is why
	EventUnknown  EventKind = "unknown" // nobody knows whether it took effect; the intent stays
	EventSkipped  EventKind = "skipped" // never started; Event.Because says why
)

// Event is one thing that happened while a plan was carried out.
type Event struct {
	Kind    EventKind
	Step    int       // its id
	Action  plan.Kind // what the step does
	Addr    fleet.Addr
	Host    fleet.HostName
	Reason  string        // the step's
	Elapsed time.Duration // since the step started
	ID      string        // of the container, with EventDone of a Run
	Bytes   int64
	Total   int64 // 0: not known
	Err     error
	Text    string
	Because Because
}

// Because says why a step was skipped.
type Because string

// The reasons for a skipped step.
const (
	BecauseNeeds       Because = "what it needs was not done"
	BecauseHostLost    Because = "the host no longer answers"
	BecauseInterrupted Because = "the apply was interrupted"
	BecauseState       Because = "the state cannot be written"
	BecauseLockLost    Because = "the lock was lost"
)

func (r *run) emit(kind EventKind, i int, fill func(*Event)) {
	if r.job.Observe == nil {
		return
	}
	s := &r.job.Plan.Steps[i]
	e := Event{Kind: kind, Step: i, Action: s.Kind, Addr: s.Addr, Host: s.Host, Reason: s.Reason}
	if fill != nil {
		fill(&e)
	}
	r.emitting <- struct{}{}
	defer func() { <-r.emitting }()
	r.job.Observe(e)
}
