package schedule

import "github.com/stowage-run/stowage/fleet"

// Standing is a placement together with what is needed to answer, quickly, what would follow from a loss. Its methods
// may not be called concurrently, and leave it as it was: each question is asked of the same placement.
type Standing struct {
	in         Input
	assignment fleet.Assignment
}

// Delta is what a loss would change in a placement. All else stays where it is.
type Delta struct {
	Placed    []fleet.Placed // what finds another place, by replica
	Refused   []fleet.Refusal
	Displaced []fleet.Gone
}

// Stand places everything. It is deterministic, changes nothing in in, and may be called concurrently.
func Stand(in Input) *Standing {
	return &Standing{in: in, assignment: Place(in)}
}

// Assignment is the placement itself. The caller does not change it.
func (s *Standing) Assignment() fleet.Assignment { return s.assignment }
