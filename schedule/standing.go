package schedule

import "github.com/stowage-run/stowage/fleet"

// Standing is a placement together with what is needed to answer, quickly, what would follow from a loss. Its methods
// may not be called concurrently, and leave it as it was: each question is asked of the same placement.
type Standing struct {
	in         Input
	pass       *pass
	assignment fleet.Assignment
	asking     *asking // what questions need; nil until the first
}

// Delta is what a loss would change in a placement. All else stays where it is.
type Delta struct {
	Placed    []fleet.Placed  // what finds another place, by replica
	Refused   []fleet.Refusal // what finds none, beyond what is refused anyway
	Displaced []fleet.Gone    // what makes room and finds no other place; refused too
}

// Stand places everything. It is deterministic, changes nothing in in, and may be called concurrently. It costs what Place
// costs: what questions need beyond that is made when the first is asked.
func Stand(in Input) *Standing {
	p := newPass(in)
	p.freeze()
	p.keep()
	p.fill()
	if in.Rebalance {
		p.rebalance()
	}
	return &Standing{in: in, pass: p, assignment: fleet.Assignment{
		Placed:    p.placed(),
		Refused:   p.refused(),
		Displaced: p.displaced(),
		Gone:      p.gone(),
		Loads:     p.loads(),
	}}
}

// Assignment is the placement itself. The caller does not change it.
func (s *Standing) Assignment() fleet.Assignment { return s.assignment }
