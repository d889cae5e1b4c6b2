package health

import (
	"time"

	"github.com/stowage-run/stowage/fleet"
)

// Status is what a Tracker makes of a replica's answers.
type Status string

// The statuses.
const (
	StatusStarting  Status = "starting" // not healthy yet, and not given up
	StatusHealthy   Status = "healthy"
	StatusUnhealthy Status = "unhealthy"
	StatusUnknown   Status = "unknown" // it cannot be asked
)

// How often a replica is asked that is not healthy yet: often at first, so that a rollout does not wait out a long interval,
// and then so that a slow start is not made slower by it.
const (
	eager      = 500 * time.Millisecond
	eagerUntil = 10 * time.Second
	patient    = time.Second
)

// defaultInterval is that of a check that has none: of the image's own, which is an inspect.
const defaultInterval = 5 * time.Second

// Tracker makes a status of the answers of one container. It is pure: the time comes in as a value, and all times are of one
// clock, ours. It is not safe for concurrent use.
type Tracker struct {
	check   fleet.Healthcheck
	started time.Time // of this life of the container, as far as we know

	met      bool // what tells the container's lives apart is known
	life     time.Time
	restarts int

	last     time.Time // of the last answer; zero: none yet
	lastWord Verdict   // of the last answer
	told     bool      // an answer other than unknown came in this life
	passed   bool      // it was healthy once in this life
	ended    bool
	failures int // in a row, that count

	// The run of healthy answers: the first, moved on by what of it was unknown; the last. Both zero: there is none.
	since, until time.Time
}

// New tracks a container that was started at a time of our clock.
func New(check fleet.Healthcheck, started time.Time) *Tracker {
	return &Tracker{check: check, started: started}
}

// Observe takes an answer that came at now. Times never go back.
//
// A failure counts unless it is within the start period and the container has not been healthy in this life: then it is as
// good as no answer yet. Retries failures that count, one after another, make it unhealthy; one healthy answer makes it
// healthy. A container that has ended for good is unhealthy at once. One that was started again begins anew, with its start
// period. An unknown answer neither breaks nor proves.
func (t *Tracker) Observe(now time.Time, a Answer) {
	gap := t.lastWord == Unknown || t.silent(now)
	t.last, t.lastWord = now, a.Verdict
	if a.Verdict == Unknown {
		return
	}
	if t.another(a) {
		*t = Tracker{check: t.check, started: now, last: now, lastWord: a.Verdict}
		gap = false
	}
	t.meet(a)
	t.told, t.ended = true, a.Ended
	switch a.Verdict {
	case Healthy:
		t.passed, t.failures = true, 0
		switch {
		case t.since.IsZero():
			t.since = now
		case gap: // nobody knows of the time since the last healthy answer
			t.since = t.since.Add(now.Sub(t.until))
		}
		t.until = now
	case Unhealthy:
		t.since, t.until = time.Time{}, time.Time{}
		if t.passed || !now.Before(t.started.Add(t.check.StartPeriod)) {
			t.failures++
		}
	case Starting:
		t.since, t.until = time.Time{}, time.Time{}
	}
}

// another reports whether an answer is of another life of the container than those before.
func (t *Tracker) another(a Answer) bool {
	return t.met && !a.Started.IsZero() && (!a.Started.Equal(t.life) || a.Restarts > t.restarts)
}

// meet notes what tells the container's lives apart.
func (t *Tracker) meet(a Answer) {
	if !a.Started.IsZero() {
		t.met, t.life, t.restarts = true, a.Started, a.Restarts
	}
}

// silent reports whether answers have not come for so long that the last one no longer holds: two intervals, and what a
// probe may take.
func (t *Tracker) silent(now time.Time) bool {
	return !t.last.IsZero() && now.Sub(t.last) > 2*t.interval()+t.timeout()+lookTimeout
}

// Status is what holds at now, and with StatusHealthy since when it was healthy at every answer, where the time for which
// that was not known is taken out. Where the last answer was a failure that is not enough to be unhealthy, since is now: the
// status is healthy, and proof begins anew. So a replica that flaps is never healthy for long, whatever its retries.
func (t *Tracker) Status(now time.Time) (s Status, since time.Time) {
	switch {
	case t.ended:
		return StatusUnhealthy, time.Time{}
	case t.last.IsZero():
		return StatusStarting, time.Time{}
	case t.lastWord == Unknown, t.silent(now):
		return StatusUnknown, time.Time{}
	case t.failures >= max(1, t.check.Retries):
		return StatusUnhealthy, time.Time{}
	case t.passed && t.since.IsZero():
		return StatusHealthy, now
	case t.passed:
		return StatusHealthy, t.since
	}
	return StatusStarting, time.Time{}
}

// HealthyFor is how long it was healthy without a break, from the first to the last answer of the run that still goes on: what
// a gate compares with min_healthy_time. Time after the last answer proves nothing. Zero where it is not healthy.
func (t *Tracker) HealthyFor(now time.Time) time.Duration {
	if s, _ := t.Status(now); s != StatusHealthy {
		return 0
	}
	return t.until.Sub(t.since)
}

// Next is when to ask next: an interval after the last answer, and sooner while it is not known to be healthy. It is not before
// now. Whoever has many to ask adds jitter.
func (t *Tracker) Next(now time.Time) time.Time {
	if t.last.IsZero() {
		return now
	}
	wait := t.interval()
	switch s, _ := t.Status(now); {
	case s == StatusHealthy && !t.since.IsZero(), s == StatusUnhealthy && t.passed:
	case now.Sub(t.started) < eagerUntil:
		wait = min(wait, eager)
	default:
		wait = min(wait, patient)
	}
	if next := t.last.Add(wait); next.After(now) {
		return next
	}
	return now
}

func (t *Tracker) interval() time.Duration {
	if t.check.Interval > 0 {
		return t.check.Interval
	}
	return defaultInterval
}

func (t *Tracker) timeout() time.Duration {
	if t.check.Timeout > 0 {
		return t.check.Timeout
	}
	return defaultTimeout
}
