package schedule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// topScores is how many of the hosts that take a replica are told with their terms.
const topScores = 5

// Why says what speaks for and against each host for one replica, with all others where they will be. ok is false for a
// replica that is neither placed nor refused.
func (s *Standing) Why(id fleet.ReplicaID) (why fleet.Why, ok bool) {
	p := s.pass
	w := p.byWork[id.Workload]
	if w == nil {
		return s.whyStray(id)
	}
	st := w.seatOf(id.Slot)
	if st == nil {
		return fleet.Why{}, false
	}
	why = fleet.Why{Replica: id, Reason: st.reason}
	if c, stood := s.in.Current[id]; stood {
		why.From = c.Host
	}
	if s.asking != nil && s.asking.displaced[id] {
		why.Reason = s.displacedReason(id)
	}
	home := st.host
	if pl, placed := w.placedAt(st); placed {
		why.Host = pl.Host
	}
	if home != nil && !w.frozen { // seen as it was when it was placed: not there yet
		p.journal = &journal{}
		p.leave(w, st)
		st.current = nil
		if c, stood := s.in.Current[id]; stood {
			st.current = &c
		}
		defer p.undo()
	}
	e := &explainer{p: p, w: w}
	by := e.sift(st)
	if w.frozen {
		why.Filters = e.counts(by)
		return why, true
	}
	fitting := by[passes].hosts
	if w.global {
		fitting = slices.DeleteFunc(fitting, func(h *host) bool { return h != st.target })
	}
	if home != nil && !slices.Contains(fitting, home) { // kept on a host that is not known, or through a cordon
		fitting = append(fitting, home)
	}
	why.Filters, why.Fitting = e.counts(by), len(fitting)
	why.Scores = p.scores(w, fitting)
	return why, true
}

func (s *Standing) whyStray(id fleet.ReplicaID) (fleet.Why, bool) {
	for _, t := range s.pass.strays {
		if t.id == id {
			return fleet.Why{Replica: id, Host: t.Host, From: t.Host}, true
		}
	}
	return fleet.Why{}, false
}

func (s *Standing) displacedReason(id fleet.ReplicaID) string {
	for _, g := range s.assignment.Displaced {
		if g.Replica == id {
			return g.Reason
		}
	}
	return ""
}

// scores says how good the best few hosts are for one more replica.
func (p *pass) scores(w *work, hosts []*host) []fleet.Score {
	sh := p.shapeOf(w.Placement.Spread)
	tallies := sh.tallies(w)
	type rated struct {
		host   *host
		rating rating
	}
	all := make([]rated, len(hosts))
	for i, h := range hosts {
		all[i] = rated{h, p.rate(w, sh, tallies, h)}
	}
	slices.SortFunc(all, func(a, b rated) int {
		switch {
		case a.rating.less(&b.rating):
			return -1
		case b.rating.less(&a.rating):
			return 1
		}
		return 0
	})
	var out []fleet.Score
	for _, r := range all[:min(len(all), topScores)] {
		out = append(out, fleet.Score{Host: r.host.Name, Terms: p.terms(w, sh, r.host, r.rating)})
	}
	return out
}

// terms says a rating for people.
func (p *pass) terms(w *work, sh *shape, h *host, r rating) []fleet.Term {
	var out []fleet.Term
	for i, label := range sh.labels {
		value, ok := h.Labels[label]
		if !ok {
			value = "without"
		}
		out = append(out, fleet.Term{Name: label, Value: fmt.Sprintf("%s: %s", value, count(int(r.counts[i]), "replica"))})
	}
	if len(w.wishes) > 0 {
		out = append(out, fleet.Term{Name: "affinity", Value: p.affinityReason(w, h)})
	}
	load := fleet.Term{Name: "load", Value: fmt.Sprintf("%.0f%%", h.loadWith(w.Reserve)*100)}
	if w.packs {
		return append(out, load)
	}
	return append(out,
		fleet.Term{Name: fmt.Sprintf("replicas of %s here", w.Name), Value: fmt.Sprint(w.count.at(h.index))},
		load,
		fleet.Term{Name: "replicas here", Value: fmt.Sprint(h.replicas)},
	)
}

// affinityReason reads "+30 (+50 disk = \"ssd\", -20 workload.cache)".
func (p *pass) affinityReason(w *work, h *host) string {
	var met []string
	for i := range w.wishes {
		if w.wishes[i].met(h) {
			met = append(met, w.wishes[i].text)
		}
	}
	if len(met) == 0 {
		return "0"
	}
	return fmt.Sprintf("%+d (%s)", p.affinity(w, h), strings.Join(met, ", "))
}
