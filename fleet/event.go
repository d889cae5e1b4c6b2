package fleet

import "time"

// Event says that something happened to a container of ours. It is a hint of where to look, and never a fact about now: it
// may come twice, late, and after what undid it. What is true is in the observation that follows.
type Event struct {
	Kind EventKind `json:"kind"`
	Time time.Time `json:"time,omitzero"` // by the host's clock, which may be wrong and may be set back
	// Cursor is where a later stream of the same engine goes on after this event. It is opaque; two events with one Cursor are
	// the same. Empty: there is nothing to go on from, and a stream that is asked to begins with a gap.
	Cursor string `json:"cursor,omitempty"`

	ID       string   `json:"id,omitempty"`   // the container's; empty for EventGap and EventResumed
	Name     string   `json:"name,omitempty"` // its name after the event
	Identity Identity `json:"identity,omitzero"`

	ExitCode int    `json:"exit_code,omitempty"` // of EventDie; -1: the engine did not say
	Health   string `json:"health,omitempty"`    // of EventHealth: "starting", "healthy" or "unhealthy"
	Why      string `json:"why,omitempty"`       // of EventGap: what may have been lost, for people
}

// EventKind says what happened.
type EventKind string

// What happens to containers.
const (
	EventCreate  EventKind = "create"
	EventStart   EventKind = "start" // by anybody: also by the engine, after the container ended
	EventDie     EventKind = "die"   // its first process ended, whatever ended it
	EventOOM     EventKind = "oom"   // a process in it was killed for want of memory; the container may live on
	EventStop    EventKind = "stop"  // somebody asked for its end; after EventDie, and not always told
	EventPause   EventKind = "pause"
	EventUnpause EventKind = "unpause"
	EventRename  EventKind = "rename"
	EventUpdate  EventKind = "update" // of limits or restart policy
	EventHealth  EventKind = "health" // the engine's health check has another result than before
	EventDestroy EventKind = "destroy"
)

// What happens to a stream of events. Its first event is one of these two.
const (
	// EventGap: something may have happened that no event tells of. The whole host has to be looked at; a look that begins
	// after this event misses nothing, since the stream tells of all that happens after it.
	EventGap EventKind = "gap"
	// EventResumed: the stream goes on after the cursor that it was given, and nothing in between is lost.
	EventResumed EventKind = "resumed"
)
