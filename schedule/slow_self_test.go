package schedule

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/stowage-run/stowage/fleet"
)

// assignment is the slow placement as Place would return it, with a word for each reason and refusals one by one.
func (s *slow) assignment() fleet.Assignment {
	var a fleet.Assignment
	o := s.outcome()
	for _, t := range s.seats {
		if p, ok := o.Placed[t.id]; ok {
			reason := ""
			if p.Reason && p.From == p.Host {
				reason = "port "
			} else if p.Reason {
				reason = "moved"
			}
			a.Placed = append(a.Placed, fleet.Placed{Replica: t.id, Host: p.Host, From: p.From, Reason: reason, HostPorts: p.Ports})
			continue
		}
		hosts := 1
		if t.target == nil {
			hosts = len(s.hosts)
		}
		a.Refused = append(a.Refused, fleet.Refusal{
			Workload: t.id.Workload, Slots: []fleet.Slot{t.id.Slot}, Outranked: s.outranked(t),
			Filters: []fleet.FilterCount{{Hosts: hosts}},
		})
		if h, ok := o.Displaced[t.id]; ok {
			a.Displaced = append(a.Displaced, fleet.Gone{Replica: t.id, Host: h, Reason: "displaced"})
		}
	}
	for _, id := range s.standing() {
		if h, ok := o.Gone[id]; ok {
			a.Gone = append(a.Gone, fleet.Gone{Replica: id, Host: h, Reason: "gone"})
		}
	}
	return a
}

// TestSlowPlaceHolds holds the judge to the law.
func TestSlowPlaceHolds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := drawMix(rt, everything)
		in := parse(t, text)
		s := newSlow(in)
		s.place()
		defer func() {
			if rt.Failed() {
				rt.Log(text)
			}
		}()
		checker{rt, in, s.assignment()}.check()
	})
}
