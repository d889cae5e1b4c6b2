package docker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/events"
	"github.com/docker/docker/api/types/filters"
	"github.com/google/go-cmp/cmp"

	"github.com/stowage-run/stowage/fleet"
	"github.com/stowage-run/stowage/providers"
	"github.com/stowage-run/stowage/providers/docker"
	"github.com/stowage-run/stowage/providers/remote/local"
)

// memory is an engine that only has events, which it remembers and searches as Docker does (daemon/events/events.go).
type memory struct {
	base  time.Time
	ended chan error // tells that a raw stream was written

	mu      sync.Mutex // guards what follows
	kept    []events.Message
	changed chan struct{}
	raw     string // written into every stream before its end
	status  int
	asked   string // the last stream's filters
	deaf    bool   // to filters
}

// remembering starts an engine with events and connects to it. Moments are seconds after base, which is ten minutes ago.
func remembering(t *testing.T, moments ...string) (*memory, *docker.Engine) {
	t.Helper()
	m := &memory{base: time.Now().Add(-10 * time.Minute).Truncate(time.Second), changed: make(chan struct{}), ended: make(chan error, 1)}
	m.happen(moments...)
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: m, ReadHeaderTimeout: time.Minute}
	go func() { _ = s.Serve(l) }() // ends with Close
	t.Cleanup(func() { s.Close() })
	return m, engine(t, local.New("h1"), socket)
}

// happen adds events written as "12.5 web start" or "12.5 - start": of our container, or of a stranger's.
func (m *memory) happen(moments ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, line := range moments {
		f := strings.SplitN(line, " ", 3)
		ev := events.Message{Type: events.ContainerEventType, Action: events.Action(f[2]), TimeNano: m.moment(f[0]).UnixNano()}
		ev.Actor = events.Actor{ID: "stranger", Attributes: map[string]string{"name": "stranger"}}
		if f[1] != "-" {
			ev.Actor.ID = "id-" + f[1]
			ev.Actor.Attributes = request().Instance.Labels(fleet.Spec{Labels: map[string]string{"exitCode": "spoilt"}}, "op")
			ev.Actor.Attributes["name"] = f[1]
		}
		m.kept = append(m.kept, ev)
		if len(m.kept) > 256 {
			m.kept = m.kept[1:]
		}
	}
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *memory) moment(s string) time.Time {
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic(err)
	}
	return m.base.Add(time.Duration(seconds * float64(time.Second)))
}

// cursor is that of a container's event.
func (m *memory) cursor(at, id string) string {
	return fmt.Sprintf("docker1:%d:%s", m.moment(at).UnixNano(), id)
}

func (m *memory) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/_ping" {
		w.Header().Set("API-Version", "1.41")
		return
	}
	f, err := filters.FromJSON(r.FormValue("filters"))
	since, until := nano(r.FormValue("since")), nano(r.FormValue("until"))
	m.mu.Lock()
	if m.deaf {
		f = filters.NewArgs()
	}
	if until == 0 {
		m.asked = r.FormValue("filters")
	}
	var replay []events.Message
	for _, ev := range slices.Backward(m.kept) {
		if ev.TimeNano < since {
			break
		}
		if (until == 0 || ev.TimeNano <= until) && included(f, ev) {
			replay = append(replay, ev)
		}
	}
	slices.Reverse(replay)
	raw, status, changed, told := m.raw, m.status, m.changed, len(m.kept)
	m.mu.Unlock()
	if err != nil || r.URL.Path != "/v1.41/events" || status != 0 {
		w.WriteHeader(max(status, http.StatusBadRequest))
		return
	}
	w.WriteHeader(http.StatusOK)
	for out := json.NewEncoder(w); ; {
		for _, ev := range replay {
			if out.Encode(ev) != nil {
				return
			}
		}
		http.NewResponseController(w).Flush()
		if until != 0 && until < time.Now().UnixNano() {
			return
		}
		if raw != "" && until == 0 {
			fmt.Fprint(w, raw)
			http.NewResponseController(w).Flush()
			m.ended <- nil
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		}
		m.mu.Lock()
		replay, changed, raw = nil, m.changed, m.raw
		for _, ev := range m.kept[min(told, len(m.kept)):] {
			if included(f, ev) {
				replay = append(replay, ev)
			}
		}
		told = len(m.kept)
		m.mu.Unlock()
	}
}

func nano(s string) int64 {
	whole, part, _ := strings.Cut(s, ".")
	n, _ := strconv.ParseInt(whole+part, 10, 64) // zero where there is none
	return n
}

func included(f filters.Args, ev events.Message) bool {
	return f.Len() == 0 || f.ExactMatch("type", string(ev.Type)) && f.MatchKVList("label", ev.Actor.Attributes) && f.FuzzyMatch("event", string(ev.Action))
}

// tells opens a stream and returns what it tells up to the last of n events.
func tells(t *testing.T, e *docker.Engine, since string, n int) (all []string) {
	t.Helper()
	enough := errors.New("enough")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := e.Events(ctx, providers.EventQuery{Fleet: request().Instance.Fleet, Since: since}, func(ev fleet.Event) error {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s %s", ev.Kind, ev.Name, ev.Health)))
		if len(all) == n {
			return enough
		}
		return nil
	})
	if err != enough {
		t.Errorf("after %v: %v", all, err)
	}
	return all
}

// What a stream begins with follows from what the engine remembers.
func TestEventsMemory(t *testing.T) {
	busy := []string{"10 a start"}
	for i := range 256 {
		busy = append(busy, fmt.Sprintf("%d - exec_start: x", 20+i))
	}
	for _, c := range []struct {
		name  string
		kept  []string
		since string // moment and id; empty: none
		want  []string
	}{
		{"none", nil, "", []string{"gap"}},
		{"from now on", []string{"10 a start", "20 - start"}, "", []string{"gap"}},
		{"the last", []string{"10 a start", "20 b die"}, "20 id-b", []string{"resumed"}},
		{"one before", []string{"10 a start", "20 b die", "30 - die", "40 b health_status: unhealthy"}, "10 id-a", []string{"resumed", "die b", "health b unhealthy"}},
		{"a stranger's", []string{"10 - exec_die", "20 b die"}, "10 stranger", []string{"resumed", "die b"}},
		{"never happened", []string{"10 a start", "20 b die"}, "15 id-a", []string{"gap", "die b"}},
		{"of another", []string{"10 a start", "20 b die"}, "10 id-b", []string{"gap", "start a", "die b"}},
		{"started anew", nil, "10 id-a", []string{"gap"}},
		{"too much meanwhile", busy, "10 id-a", []string{"gap"}},
		{"as much as fits", busy[:256], "10 id-a", []string{"resumed"}},
		{"the older came second", []string{"10 a start", "10.5 b start", "10.4 c start"}, "10.5 id-b", []string{"resumed", "start a", "start c"}},
		{"and was cut off", []string{"10 a start", "10.5 b start", "10.4 c start"}, "10.4 id-c", []string{"resumed", "start a", "start b"}},
		{"much older came second", []string{"10 a start", "20 b start", "12 c start", "30 d start"}, "20 id-b", []string{"gap", "start d"}},
		{"the clock was set back", []string{"30 a start", "10 b start", "11 c start"}, "11 id-c", []string{"resumed", "start a", "start b"}},
		{"set back behind the cursor", []string{"30 a start", "10 b start"}, "30 id-a", []string{"gap"}},
		{"a cursor from the future", []string{"10 a start"}, "9999 id-a", []string{"gap"}},
		{"that is remembered", []string{"9999 a start"}, "9999 id-a", []string{"resumed"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, e := remembering(t, c.kept...)
			since := ""
			if at, id, ok := strings.Cut(c.since, " "); ok {
				since = m.cursor(at, id)
			}
			if d := cmp.Diff(c.want, tells(t, e, since, len(c.want))); d != "" {
				t.Errorf("told (-want +got):\n%s", d)
			}
		})
	}
}

// A stream that begins goes on from the newest event that the engine remembers, be it a stranger's.
func TestEventsAnchor(t *testing.T) {
	m, e := remembering(t, "10 a start", "20 - start")
	enough := errors.New("enough")
	var first fleet.Event
	err := e.Events(t.Context(), providers.EventQuery{Fleet: request().Instance.Fleet}, func(ev fleet.Event) error {
		first = ev
		return enough
	})
	if err != enough || first.Cursor != m.cursor("20", "stranger") || !first.Time.Equal(m.moment("20")) {
		t.Errorf("got %+v, %v", first, err)
	}
	m.happen("30 b oom")
	if d := cmp.Diff([]string{"resumed", "oom b"}, tells(t, e, first.Cursor, 2)); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
}

// The engine is asked for our containers' events only, and one that tells more is not believed.
func TestEventsOfStrangers(t *testing.T) {
	m, e := remembering(t, "10 a start", "20 - die", "30 b exec_start: x", "40 b die")
	m.deaf = true
	if d := cmp.Diff([]string{"resumed", "die b"}, tells(t, e, m.cursor("10", "id-a"), 2)); d != "" {
		t.Errorf("told (-want +got):\n%s", d)
	}
	want := filters.NewArgs(filters.Arg("type", "container"), filters.Arg("label", "stowage.fleet="+string(request().Instance.Fleet)))
	for _, k := range strings.Fields("create start die oom stop pause unpause rename update health_status destroy") {
		want.Add("event", k)
	}
	text, err := filters.ToJSON(want)
	if err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.asked != text {
		t.Errorf("asked for %s, want %s", m.asked, text)
	}
}

// An emit that is slow holds nothing up, and more than is kept becomes a gap.
func TestEventsSlowReader(t *testing.T) {
	m, e := remembering(t)
	release := make(chan struct{})
	var told []fleet.Event
	ended := make(chan error, 1)
	m.raw = bulk(6000)
	go func() {
		ended <- e.Events(t.Context(), providers.EventQuery{Fleet: request().Instance.Fleet}, func(ev fleet.Event) error {
			if len(told) == 0 {
				<-release
			}
			told = append(told, ev)
			return nil
		})
	}()
	if err := within(t, 20*time.Second, "all is read though emit has not yet returned once", m.ended); err != nil {
		t.Fatal(err)
	}
	close(release)
	err := within(t, 20*time.Second, "the stream ends", ended)
	if !errors.Is(err, providers.ErrUnreachable) {
		t.Errorf("a stream that the engine ended: got %v, want ErrUnreachable", err)
	}
	gaps := 0
	for _, ev := range told {
		if ev.Kind == fleet.EventGap {
			gaps++
		}
	}
	if last := told[len(told)-1]; gaps != 2 || len(told) > 6000 || last.Name != "a5999" {
		t.Errorf("%d gaps in %d events, the last %+v", gaps, len(told), last)
	}
}

// bulk spells events as the engine writes them.
func bulk(n int) string {
	var b strings.Builder
	for i := range n {
		labels := request().Instance.Labels(fleet.Spec{}, "op")
		labels["name"] = fmt.Sprint("a", i)
		ev := events.Message{Type: events.ContainerEventType, Action: "start", TimeNano: int64(i+1) * 1e9, Actor: events.Actor{ID: "id", Attributes: labels}}
		line, err := json.Marshal(ev)
		if err != nil {
			panic(err)
		}
		b.Write(append(line, '\n'))
	}
	return b.String()
}

// What makes no sense ends a stream, and is not taken for a host that is lost.
func TestEventsNonsense(t *testing.T) {
	for name, raw := range map[string]string{
		"no JSON":       "{\n",
		"another type":  `{"timeNano":"x"}` + "\n",
		"without end":   strings.Repeat("x", 2<<20),
		"not an object": "[]\n",
	} {
		m, e := remembering(t)
		m.raw = raw
		err := e.Events(t.Context(), providers.EventQuery{Fleet: request().Instance.Fleet}, func(fleet.Event) error { return nil })
		var known *providers.Error
		if !errors.As(err, &known) || known.Op != "events" || known.Class != nil {
			t.Errorf("%s: got %v", name, err)
		}
	}
	m, e := remembering(t)
	m.status = http.StatusInternalServerError
	err := e.Events(t.Context(), providers.EventQuery{Fleet: request().Instance.Fleet}, func(ev fleet.Event) error {
		t.Errorf("a stream that did not begin tells %+v", ev)
		return nil
	})
	var known *providers.Error
	if !errors.As(err, &known) || known.Class != nil {
		t.Errorf("got %v", err)
	}
}

// A label may hide the exit status, and is not taken for one.
func TestEventsExitCode(t *testing.T) {
	m, e := remembering(t, "10 a start")
	m.happen("20 a die")
	var got fleet.Event
	enough := errors.New("enough")
	err := e.Events(t.Context(), providers.EventQuery{Fleet: request().Instance.Fleet, Since: m.cursor("10", "id-a")}, func(ev fleet.Event) error {
		if got = ev; ev.Kind == fleet.EventDie {
			return enough
		}
		return nil
	})
	if err != enough || got.ExitCode != -1 {
		t.Errorf("got %+v, %v", got, err)
	}
}
