package observer

import (
	"fmt"
	"slices"
	"time"
)

// Timeline is what an observer saw, and what is asked of it afterwards. It is a value: its methods are pure and may be
// called by several goroutines at once.
type Timeline struct {
	Looks   []Look        // of one host in order of time; hosts in any order
	Silence time.Duration // between two looks at a host, beyond which there is a gap; 0: no limit
}

// Look is one question to one engine.
type Look struct {
	Host       string
	Span                   // asked, answered: the list is that of one moment in between
	Err        string      // not empty: no answer, and Containers says nothing
	Containers []Container // ours, in whatever state, ordered by name
}

// end is when the last of a look's questions was answered, those to containers included.
func (l Look) end() time.Time {
	end := l.To
	for _, c := range l.Containers {
		if c.Probed.To.After(end) {
			end = c.Probed.To
		}
	}
	return end
}

// Health is what a container answered when it was asked.
type Health string

// The healths of a container. One that does not run is unhealthy without being asked.
const (
	Unknown   Health = ""
	Healthy   Health = "healthy"
	Unhealthy Health = "unhealthy"
)

// Container is a container in one look.
type Container struct {
	Host, ID, Name string
	Identity
	State   string // as the engine has it: "created", "running", "exited", ...
	Image   string // as it was asked for
	ImageID string
	Ports   []Port // TCP ports that are published
	IPs     []string

	Health Health
	Probed Span   // when it was asked; zero: it was not
	Answer string // why it is not healthy
}

// Port is a published TCP port.
type Port struct {
	Container int
	Addr      string // host and port, as reached from here
}

// Live reports whether the container runs, or is between two runs.
func (c Container) Live() bool {
	return c.State == "running" || c.State == "paused" || c.State == "restarting"
}

// String says which container it is: "h1/shop-web-2-g3 running healthy".
func (c Container) String() string {
	s := c.Host + "/" + c.Name + " " + c.State
	if c.Health != Unknown {
		s += " " + string(c.Health)
	}
	return s
}

// Span is a stretch of time. Where one limits a question, a zero end is that of what was observed.
type Span struct{ From, To time.Time }

// String writes the span as clock times.
func (s Span) String() string {
	const clock = "15:04:05.000"
	return s.From.Format(clock) + ".." + s.To.Format(clock)
}

// Gap is a stretch of time of which a host's answers say nothing.
type Gap struct {
	Host string
	Span
	Err string // what the first question in it met; empty: nobody asked
}

// String says when and whom.
func (g Gap) String() string { return fmt.Sprintf("%v %s did not answer: %s", g.Span, g.Host, g.Err) }

// Hosts are the hosts that were asked, ordered.
func (t Timeline) Hosts() []string {
	var hosts []string
	for _, l := range t.Looks {
		if !slices.Contains(hosts, l.Host) {
			hosts = append(hosts, l.Host)
		}
	}
	slices.Sort(hosts)
	return hosts
}

// of are the looks at one host, in order of time.
func (t Timeline) of(host string) []Look {
	var looks []Look
	for _, l := range t.Looks {
		if l.Host == host {
			looks = append(looks, l)
		}
	}
	slices.SortStableFunc(looks, func(a, b Look) int { return a.From.Compare(b.From) })
	return looks
}

// Observed is the time of which the timeline can say something: from when every host has answered once, until the first of
// them was asked last. A host that never answered does not count here: Gaps has it.
func (t Timeline) Observed() Span {
	var s Span
	for _, host := range t.Hosts() {
		looks := t.of(host)
		first := slices.IndexFunc(looks, func(l Look) bool { return l.Err == "" })
		if first < 0 {
			continue
		}
		if from := looks[first].end(); s.From.IsZero() || from.After(s.From) {
			s.From = from
		}
		if to := looks[len(looks)-1].From; s.To.IsZero() || to.Before(s.To) {
			s.To = to
		}
	}
	return s
}

// within fills the zero ends of s and cuts it to what was observed.
func (t Timeline) within(s Span) Span {
	o := t.Observed()
	if s.From.IsZero() || s.From.Before(o.From) {
		s.From = o.From
	}
	if s.To.IsZero() || s.To.After(o.To) {
		s.To = o.To
	}
	return s
}

// Gaps are the stretches within a span of which nothing is known of some host, ordered by host and time: no claim that
// something never happened holds in them.
func (t Timeline) Gaps(s Span) []Gap {
	s = t.within(s)
	var gaps []Gap
	for _, host := range t.Hosts() {
		for _, g := range t.gapsOf(host) {
			if !g.From.After(s.To) && !s.From.After(g.To) {
				gaps = append(gaps, g)
			}
		}
	}
	return gaps
}

func (t Timeline) gapsOf(host string) []Gap {
	var gaps []Gap
	var open *Gap
	var last time.Time // of the latest answer
	looks := t.of(host)
	for _, l := range looks {
		switch {
		case l.Err != "" && open == nil:
			from := last
			if from.IsZero() {
				from = l.From
			}
			open = &Gap{Host: host, Span: Span{from, l.To}, Err: l.Err}
		case l.Err != "":
			open.To = l.To
		case open != nil:
			open.To = l.From
			gaps, open = append(gaps, *open), nil
		case t.silent(last, l.From):
			gaps = append(gaps, Gap{Host: host, Span: Span{last, l.From}})
		}
		if l.Err == "" {
			last = l.To
		}
	}
	if open != nil {
		gaps = append(gaps, *open)
	}
	return gaps
}

func (t Timeline) silent(last, next time.Time) bool {
	return t.Silence > 0 && !last.IsZero() && next.Sub(last) > t.Silence
}

// Off returns a timeline in which a host is known to have run nothing for a time, as one without power: its looks
// without an answer in that time become empty answers. Whoever calls it vouches for it.
func (t Timeline) Off(host string, s Span) Timeline {
	t.Looks = slices.Clone(t.Looks)
	for i, l := range t.Looks {
		if l.Host == host && l.Err != "" && !l.From.Before(s.From) && (s.To.IsZero() || !l.To.After(s.To)) {
			t.Looks[i].Err, t.Looks[i].Containers = "", nil
		}
	}
	return t
}
