package docker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

const (
	// eventsTimeout bounds each request that opens a stream, and each question whether the engine still answers.
	eventsTimeout = 10 * time.Second
	// proofTimeout bounds the look for the cursor's event, which is one into memory. It ends by itself, unless the host's clock was
	// set back behind the cursor: then the engine waits for that moment to come again.
	proofTimeout = 3 * time.Second
)

// Events streams what happens to a fleet's containers.
//
// The engine (daemon/events/events.go of 20.10 to 28) keeps its last 256 events of all kinds in memory, and a new stream with
// a time `since` begins with those of them that are not older. So nothing after a cursor is lost exactly if the event that it
// names is still among them: the memory only ever loses its oldest, and all of it when the engine ends. That is asked for once
// the stream stands, in a request of its own, since the stream is filtered and the cursor's event may be a stranger's.
//
// The engine filters the stream. Unfiltered, each health check that runs a command makes three events of half a kilobyte.
func (e *Engine) Events(ctx context.Context, q providers.EventQuery, emit func(fleet.Event) error) error {
	live, end := context.WithCancelCause(ctx)
	defer end(nil)
	l, first, err := e.listen(live, q)
	if err == nil {
		l.tasks.Go(l.pump)
		l.tasks.Go(func() { e.guard(live, q.Silence, l, end) })
		err = l.deliver(live, first, emit)
		end(nil)
		l.close()
	}
	if own, ok := errors.AsType[*emitError](err); ok {
		return own.err
	}
	if ctx.Err() != nil {
		return &providers.Error{Op: "events", Err: ctx.Err()}
	}
	if guarded, ok := errors.AsType[*providers.Error](context.Cause(live)); ok {
		return guarded
	}
	return eventsLost(err)
}

// eventsLost is the error of a request or a stream that ended. One that the engine ended in good order is lost as well.
func eventsLost(err error) error {
	if known, ok := errors.AsType[*providers.Error](err); ok {
		return known
	}
	return looked("events", "", err)
}

// nonsense is the error of an engine that says what no engine says.
func nonsense(format string, args ...any) error {
	return &providers.Error{Op: "events", Err: fmt.Errorf("what the engine tells makes no sense: "+format, args...)}
}

// listen opens a stream and returns it with its first event.
func (e *Engine) listen(ctx context.Context, q providers.EventQuery) (*listener, fleet.Event, error) {
	from, resuming := parsePosition(q.Since)
	if !resuming {
		var err error
		if from, err = e.newest(ctx); err != nil {
			return nil, fleet.Event{}, err
		}
	}
	stream, err := e.openEvents(ctx, from.since(), "", filtersOf(q.Fleet))
	if err != nil {
		return nil, fleet.Event{}, err
	}
	l := newListener(q.Fleet, stream)
	first := fleet.Event{Kind: fleet.EventGap, Time: from.time(), Cursor: from.String(), Why: "nothing is known of what happened before"}
	if !resuming {
		return l, first, nil
	}
	l.skip = from
	kept, err := e.remembers(ctx, from)
	switch {
	case err != nil:
		l.close()
		return nil, fleet.Event{}, err
	case kept:
		first.Kind, first.Why = fleet.EventResumed, ""
	default:
		// What is lost is nothing to go on from; the next event is.
		first = fleet.Event{Kind: fleet.EventGap,
			Why: "the engine no longer remembers what happened since: it was started anew, much has happened, or its clock was set back"}
	}
	return l, first, nil
}

// guard ends the stream of an engine that no longer answers. The connection finds by itself that a host is lost, and a socket
// that its listener ended. Neither finds that an engine hangs, and one that hangs is as silent as one on which nothing happens.
func (e *Engine) guard(ctx context.Context, silence time.Duration, l *listener, end context.CancelCauseFunc) {
	if silence <= 0 {
		silence = providers.DefaultSilence
	}
	// Streams of many hosts that were opened at once do not ask at once.
	next := time.NewTimer(silence/2 + rand.N(silence/2+1))
	defer next.Stop()
	for seen := l.count.Load(); ; {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		next.Reset(silence)
		if now := l.count.Load(); now != seen {
			seen = now
			continue
		}
		if _, err := e.now(ctx); err != nil && ctx.Err() == nil {
			end(eventsLost(err))
			return
		}
	}
}

// newest is the position of the last event that the engine remembers, anybody's, up to the second that has just begun. Where it
// remembers none, there is only the time.
func (e *Engine) newest(ctx context.Context) (position, error) {
	now, err := e.now(ctx)
	if err != nil {
		return position{}, err
	}
	at := position{nano: now.UnixNano()}
	// All that it remembers can be 100 KB; the last minute's is little where little happens, and enough where much does.
	for _, since := range []int64{now.Add(-time.Minute).UnixNano(), 1} {
		err := e.remembered(ctx, since, now.UnixNano(), func(p position) bool {
			at = p
			return true
		})
		if err != nil || at.id != "" {
			return at, err
		}
	}
	return at, nil
}

// remembers reports whether the engine still has the event of a position in its memory, and so all that came after it. It looks
// from the same moment on as the stream did: the engine searches from the newest backwards and ends at the first event that is
// older, and events of one moment are not always in the order of their times. Where the stream's search ended too soon, this one does.
func (e *Engine) remembers(ctx context.Context, p position) (found bool, err error) {
	proof, cancel := context.WithTimeout(ctx, proofTimeout)
	defer cancel()
	err = e.remembered(proof, p.nano-overlap, p.nano, func(at position) bool {
		found = at == p
		return !found
	})
	if err != nil && proof.Err() != nil && ctx.Err() == nil {
		return false, nil // no proof; that an engine hangs is found elsewhere
	}
	return found, err
}

// remembered hands out the positions of what the engine remembers between two moments, in nanoseconds, until each returns false.
func (e *Engine) remembered(ctx context.Context, since, until int64, each func(position) bool) error {
	ctx, cancel := context.WithTimeout(ctx, eventsTimeout)
	defer cancel()
	stream, err := e.openEvents(ctx, seconds(since), seconds(until), nil)
	if err != nil {
		return err
	}
	defer stream.Close()
	return readEvents(stream, func(m notice) bool { return each(m.position()) })
}
