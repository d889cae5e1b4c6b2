package observer

import (
	"cmp"
	"slices"
	"time"
)

// Count is how many there were during a span: surely Low at some moment of it, and never more than High that are known.
type Count struct {
	Span
	Low, High int
}

// Least is the smallest Low and the smallest High of counts: the number surely never fell below Low, and it surely fell
// to High once. Both are 0 where there are no counts.
func Least(counts []Count) (low, high int) {
	for i, c := range counts {
		if i == 0 {
			low, high = c.Low, c.High
		}
		low, high = min(low, c.Low), min(high, c.High)
	}
	return low, high
}

// Most is the largest Low and the largest High of counts: the number surely reached Low, and surely never passed High,
// but for what came and went unseen.
func Most(counts []Count) (low, high int) {
	for _, c := range counts {
		low, high = max(low, c.Low), max(high, c.High)
	}
	return low, high
}

// Healthy counts the healthy slots of a workload through time: a slot is healthy when any container of it answers. The
// spans overlap: each is one for which there is evidence.
func (t Timeline) Healthy(workload string, s Span) []Count {
	return t.count(t.tracks(workload, isHealthy), bySlot, s)
}

// Live counts the live containers of a workload through time.
func (t Timeline) Live(workload string, s Span) []Count {
	return t.count(t.tracks(workload, isLive), byContainer, s)
}

// unit is what is counted once, however many containers it has.
type unit struct {
	slot     int
	host, id string
}

func bySlot(c Container) unit {
	if c.Slot < 0 {
		return byContainer(c)
	}
	return unit{slot: c.Slot}
}

func byContainer(c Container) unit { return unit{host: c.Host, id: c.ID} }

// known is what one answer says: containers of one host, each seen at the same moment.
type known struct {
	Span
	host     string
	verdicts map[*track]verdict
}

// count counts at every piece of evidence: in each answer, whose own containers were seen at one moment of it, and in
// each stretch between two ends of what is sure or possible.
func (t Timeline) count(tracks []*track, of func(Container) unit, s Span) []Count {
	s = t.within(s)
	units := make([]unit, len(tracks))
	for i, k := range tracks {
		units[i] = of(k.Container)
	}
	var counts []Count
	for _, w := range append(answers(tracks), stretches(tracks, s)...) {
		if w.From.Before(s.From) || w.To.After(s.To) {
			continue
		}
		low, high := map[unit]bool{}, map[unit]bool{}
		for i, k := range tracks {
			v, seen := w.verdicts[k]
			if seen && v == yes || !seen && k.surely(w.Span) {
				low[units[i]] = true
			}
			if seen && v == yes || !seen && k.possibly(w.Span) {
				high[units[i]] = true
			}
		}
		counts = append(counts, Count{w.Span, len(low), len(high)})
	}
	slices.SortStableFunc(counts, func(a, b Count) int {
		return cmp.Or(a.From.Compare(b.From), a.To.Compare(b.To))
	})
	return counts
}

func answers(tracks []*track) []known {
	type place struct {
		host     string
		from, to time.Time
	}
	at := map[place]int{}
	var all []known
	for _, k := range tracks {
		for _, x := range k.sights {
			if x.verdict == open {
				continue
			}
			p := place{k.Host, x.From, x.To}
			i, ok := at[p]
			if !ok {
				i = len(all)
				at[p] = i
				all = append(all, known{Span: x.Span, host: k.Host, verdicts: map[*track]verdict{}})
			}
			all[i].verdicts[k] = x.verdict
		}
	}
	return all
}

func stretches(tracks []*track, s Span) []known {
	ends := []time.Time{s.From, s.To}
	for _, k := range tracks {
		for _, u := range slices.Concat(k.sure, k.maybe) {
			for _, end := range []time.Time{u.From, u.To} {
				if end.After(s.From) && end.Before(s.To) {
					ends = append(ends, end)
				}
			}
		}
	}
	slices.SortFunc(ends, time.Time.Compare)
	ends = slices.CompactFunc(ends, time.Time.Equal)
	var all []known
	for i := 1; i < len(ends); i++ {
		all = append(all, known{Span: Span{ends[i-1], ends[i]}})
	}
	return all
}
