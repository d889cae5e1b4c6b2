package docker

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
)

// notice is one of an engine's events as it words it.
type notice events.Message

// maxEvent bounds one message. Labels are the bulk of it; 200 of them at the longest that anybody uses are 100 KB.
const maxEvent = 1 << 20

// openEvents begins a stream of notices, and returns once the engine has answered.
//
// Rejected: client.Events of docker/docker. Its caller does not learn whether the engine has answered before the first event
// comes, and its goroutine reads messages of any length.
func (e *Engine) openEvents(ctx context.Context, since, until string, f *filters.Args) (io.ReadCloser, error) {
	query := url.Values{"since": {since}}
	if until != "" {
		query.Set("until", until)
	}
	if f != nil {
		text, err := filters.ToJSON(*f)
		if err != nil {
			return nil, err
		}
		query.Set("filters", text)
	}
	ctx, cancel := context.WithCancel(ctx)
	late := time.AfterFunc(eventsTimeout, cancel)
	answer, err := e.ask(ctx, "/v"+e.api.ClientVersion()+"/events?"+query.Encode())
	switch onTime := late.Stop(); {
	case err != nil && (onTime || neverSent(err)):
		cancel()
		return nil, err
	case err != nil:
		cancel()
		return nil, hangs()
	case !onTime: // its last moment
		cancel()
		answer.Body.Close()
		return nil, hangs()
	}
	return &eventStream{answer.Body, cancel}, nil
}

// eventStream is an open answer. Closing it ends the reading, wherever it is.
type eventStream struct {
	io.ReadCloser
	cancel context.CancelFunc
}

func (s *eventStream) Close() error {
	s.cancel()
	return s.ReadCloser.Close()
}

// hangs is the error of an engine that takes a request and does not answer it.
func hangs() error {
	return &providers.Error{Op: "events", Class: providers.ErrSilent, Err: errors.New("not within " + eventsTimeout.String() + ": it hangs, or is overloaded")}
}

// now asks the engine for the time by its host's clock, in whole seconds rounded down. It is the least that can be asked.
func (e *Engine) now(ctx context.Context) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, eventsTimeout)
	defer cancel()
	answer, err := e.ask(ctx, "/_ping")
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) && !neverSent(err) {
			return time.Time{}, hangs()
		}
		return time.Time{}, err
	}
	defer answer.Body.Close()
	if _, err := io.CopyN(io.Discard, answer.Body, 64); err != nil && !errors.Is(err, io.EOF) { // so that the stream is used again
		return time.Time{}, err
	}
	at, err := http.ParseTime(answer.Header.Get("Date"))
	if err != nil {
		return time.Time{}, nonsense("it answers a ping with the date %q", answer.Header.Get("Date"))
	}
	return at, nil
}

// ask makes one request and returns an answer that is a success. The caller closes its body.
func (e *Engine) ask(ctx context.Context, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://docker.remote"+path, http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := e.transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer, nil
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, maxMessage))
	if err != nil {
		return nil, err
	}
	return nil, &providers.Error{Op: "events", Err: errors.New(answer.Status + ": " + strings.TrimSpace(string(said)))}
}

// readEvents hands out the notices of a stream until it ends, which is nil where the engine ended it, or each returns false.
func readEvents(r io.Reader, each func(notice) bool) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	for lines.Scan() {
		var m notice
		if len(lines.Bytes()) == 0 {
			continue
		}
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return nonsense("%w", err)
		}
		if !each(m) {
			return nil
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return nonsense("%w", lines.Err())
	}
	return lines.Err()
}

// told are the actions that are told. Starting again is die and start; a signal that ends nothing is nobody's business.
func told() []events.Action {
	return []events.Action{
		events.ActionCreate, events.ActionStart, events.ActionDie, events.ActionOOM, events.ActionStop, events.ActionPause, events.ActionUnPause,
		events.ActionRename, events.ActionUpdate, events.ActionHealthStatus, events.ActionDestroy,
	}
}

// filtersOf is what the engine is asked to tell: what is told, of containers with our label. Networks and volumes have no labels
// in their events.
func filtersOf(f fleet.ID) *filters.Args {
	args := filters.NewArgs(filters.Arg("type", string(events.ContainerEventType)), filters.Arg("label", fleet.LabelFleet+"="+string(f)))
	for _, a := range told() {
		args.Add("event", string(a))
	}
	return &args
}

// kind reads the action: its kind, empty for those that are not told, and what follows a colon.
func (m notice) kind() (k fleet.EventKind, rest string) {
	word, rest, _ := strings.Cut(string(m.Action), ":")
	switch {
	case !slices.Contains(told(), events.Action(word)):
		return "", ""
	case word == string(events.ActionHealthStatus):
		return fleet.EventHealth, strings.TrimSpace(rest)
	}
	return fleet.EventKind(word), ""
}

// event translates a notice. A container's labels lie over what the engine says of the event, so that a label "exitCode" hides
// the exit status; the name is the engine's own. That is one reason why an event is only a hint.
func (m notice) event(f fleet.ID) (fleet.Event, bool) {
	kind, rest := m.kind()
	if kind == "" || m.Type != events.ContainerEventType || m.Actor.ID == "" {
		return fleet.Event{}, false
	}
	identity, err := fleet.ParseLabels(m.Actor.Attributes)
	if err != nil || identity.Fleet != f {
		return fleet.Event{}, false // damaged labels are nobody's, as in Observe
	}
	at := m.position()
	ev := fleet.Event{Kind: kind, Time: at.time(), Cursor: at.String(), ID: m.Actor.ID, Name: m.Actor.Attributes["name"], Identity: identity}
	switch kind {
	case fleet.EventDie:
		if ev.ExitCode, err = strconv.Atoi(m.Actor.Attributes["exitCode"]); err != nil {
			ev.ExitCode = -1
		}
	case fleet.EventHealth:
		ev.Health = rest
	}
	return ev, true
}

// position is where the notice stands.
func (m notice) position() position {
	if m.TimeNano != 0 {
		return position{m.TimeNano, m.Actor.ID}
	}
	return position{m.Time * int64(time.Second), m.Actor.ID}
}
