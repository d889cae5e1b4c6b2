package observer

import "slices"

// verdict is what one sight says of one container.
type verdict int

const (
	no verdict = iota
	yes
	open // not known
)

// sight is one observation of one container: the verdict held at one moment of the span.
type sight struct {
	Span
	verdict
}

// track is one container through time, asked one question: is it live, or is it healthy.
type track struct {
	Container // as it was last seen
	sights    []sight
	sure      []Span // in which it was so
	maybe     []Span // outside of which it was not so
}

// question asks one container that was listed.
type question func(Container, Look) sight

func isLive(c Container, l Look) sight {
	if c.Live() {
		return sight{l.Span, yes}
	}
	return sight{l.Span, no}
}

func isHealthy(c Container, l Look) sight {
	span := l.Span
	if !c.Probed.From.IsZero() {
		span = c.Probed
	}
	switch {
	case !c.Live() || c.Health == Unhealthy:
		return sight{span, no}
	case c.Health == Healthy:
		return sight{span, yes}
	}
	return sight{span, open}
}

// tracks follows every container of a workload. A track begins with the last answer before the container was there and
// ends with the first one after it: an id that is gone does not come back.
func (t Timeline) tracks(workload string, ask question) []*track {
	var all []*track
	for _, host := range t.Hosts() {
		f := follower{workload: workload, ask: ask, present: map[string]*track{}}
		var last Look
		for _, l := range t.of(host) {
			if l.Err != "" || t.silent(last.To, l.From) {
				f.unknown = append(f.unknown, sight{Span{last.To, l.From}, open})
			}
			if l.Err == "" {
				f.see(l)
				last = l
			}
		}
		all = append(all, f.all...)
	}
	for _, k := range all {
		k.sure, k.maybe = sure(k.sights), maybe(k.sights)
	}
	slices.SortStableFunc(all, byName)
	return all
}

// follower follows the containers of one host.
type follower struct {
	workload string
	ask      question
	all      []*track
	present  map[string]*track // by id
	absent   []sight           // the last answer, as it is for who is not in it; none before the first
	unknown  []sight           // what was not known since then
}

func (f *follower) see(l Look) {
	listed := map[string]bool{}
	for _, c := range l.Containers {
		if c.Workload != f.workload {
			continue
		}
		listed[c.ID] = true
		k := f.present[c.ID]
		if k == nil {
			k = &track{sights: slices.Clone(f.absent)}
			f.present[c.ID] = k
			f.all = append(f.all, k)
		}
		k.Container = c
		k.sights = append(append(k.sights, f.unknown...), f.ask(c, l))
	}
	gone := sight{l.Span, no}
	for id, k := range f.present {
		if !listed[id] {
			k.sights = append(append(k.sights, f.unknown...), gone)
			delete(f.present, id)
		}
	}
	f.absent, f.unknown = []sight{gone}, nil
}

func byName(a, b *track) int { return compareContainers(a.Container, b.Container) }

// sure are the stretches between the first and the last yes of each unbroken row. Before the first answer and after the
// last question nothing is sure, so a single yes makes none.
func sure(sights []sight) []Span {
	var spans []Span
	for i := 0; i < len(sights); {
		j := i
		for j < len(sights) && sights[j].verdict == yes {
			j++
		}
		if j > i && !sights[j-1].From.Before(sights[i].To) {
			spans = append(spans, Span{sights[i].To, sights[j-1].From})
		}
		i = max(j, i+1)
	}
	return spans
}

// maybe are the stretches between two nos in which there is something else. A zero end is open.
func maybe(sights []sight) []Span {
	var spans []Span
	for i := 0; i < len(sights); {
		j := i
		for j < len(sights) && sights[j].verdict != no {
			j++
		}
		if j > i {
			var s Span
			if i > 0 {
				s.From = sights[i-1].From
			}
			if j < len(sights) {
				s.To = sights[j].To
			}
			spans = append(spans, s)
		}
		i = max(j, i+1)
	}
	return spans
}

// surely reports whether it was so during all of a span.
func (k *track) surely(s Span) bool {
	return slices.ContainsFunc(k.sure, func(u Span) bool { return !s.From.Before(u.From) && !s.To.After(u.To) })
}

// possibly reports whether it may have been so at some moment inside a span.
func (k *track) possibly(s Span) bool {
	return slices.ContainsFunc(k.maybe, func(u Span) bool {
		return (u.From.IsZero() || u.From.Before(s.To)) && (u.To.IsZero() || s.From.Before(u.To))
	})
}
