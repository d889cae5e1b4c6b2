package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"github.com/stowage-run/stowage/fleet"
)

// maxWaiting is how many events wait for a slow emit: four for each container where a thousand start at once.
const maxWaiting = 4096

// listener is one open stream: what has come and was not yet emitted.
type listener struct {
	fleet  fleet.ID
	skip   position // of the event that the caller already has
	stream io.ReadCloser
	tasks  sync.WaitGroup
	count  atomic.Int64  // of messages
	news   chan struct{} // holds a token when what follows has changed

	mu   sync.Mutex // guards what follows
	wait []fleet.Event
	over bool // more came than is kept
	err  error
}

func newListener(f fleet.ID, stream io.ReadCloser) *listener {
	return &listener{fleet: f, stream: stream, news: make(chan struct{}, 1)}
}

// close ends the stream and waits for its goroutines.
func (l *listener) close() {
	l.stream.Close()
	l.tasks.Wait()
}

// pump reads the stream to its end. It never waits for emit: an engine drops events of a reader that lags, and says nothing.
func (l *listener) pump() {
	err := readEvents(l.stream, func(m notice) bool {
		l.count.Add(1)
		if ev, ours := m.event(l.fleet); ours && m.position() != l.skip {
			l.add(ev)
		}
		return true
	})
	if err == nil {
		err = errors.New("the engine ended the stream")
	}
	l.mu.Lock()
	l.err = err
	l.mu.Unlock()
	l.tell()
}

func (l *listener) add(ev fleet.Event) {
	l.mu.Lock()
	if len(l.wait) == maxWaiting {
		l.wait, l.over = nil, true
	}
	l.wait = append(l.wait, ev)
	l.mu.Unlock()
	l.tell()
}

func (l *listener) tell() {
	select {
	case l.news <- struct{}{}:
	default:
	}
}

// take returns what waits, and what ended the stream after it.
func (l *listener) take() (batch []fleet.Event, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch, l.wait = l.wait, nil
	if l.over {
		l.over = false
		gap := fleet.Event{Kind: fleet.EventGap, Time: batch[0].Time, Why: fmt.Sprintf("more than %d events waited to be dealt with", maxWaiting)}
		batch = append([]fleet.Event{gap}, batch...)
	}
	return batch, l.err
}

// deliver emits what comes until the stream ends, and all that came before its end.
func (l *listener) deliver(ctx context.Context, first fleet.Event, emit func(fleet.Event) error) error {
	batch, ended := []fleet.Event{first}, error(nil)
	for {
		for _, ev := range batch {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := emit(ev); err != nil {
				return &emitError{err}
			}
		}
		if ended != nil {
			return ended
		}
		if batch, ended = l.take(); len(batch) > 0 || ended != nil {
			continue
		}
		select {
		case <-l.news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
