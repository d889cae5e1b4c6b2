package drawing

import "github.com/stowage-run/stowage/fleet"

// Picture is what is to be drawn. Texts may be anything: they are cleaned, shortened where they do not fit, and escaped.
type Picture struct {
	Title    string // "shop, as planned"
	Subtitle string // "release 4 of 3 hosts"; empty: none
	GroupBy  string // the label whose values are Hold.Group: "zone"; empty: holds are not grouped
	Holds    []Hold // drawn by group, then host, whatever their order
	Quay     []Box  // without a host; they are drawn as Waiting
}

// Hold is one host.
type Hold struct {
	Host     string
	Address  string
	Group    string          // of the label that Picture.GroupBy names; empty: the host lacks it
	Capacity fleet.Resources // of the whole machine. Memory of 0 or less is not known: the hold has no scale of its own
	Reserve  fleet.Resources // of that, what is kept from replicas
	State    State
	Facts    []string // for the reader who points at it, a line each
	Boxes    []Box    // in any order
}

// State is how a host is.
type State int

// The states of a host.
const (
	Open        State = iota // takes replicas
	Cordoned                 // takes no new ones
	Drained                  // its replicas leave
	Unreachable              // did not answer
	Lost                     // gone for good
	Added                    // does not exist yet: what if it did
)

// Box is one replica. One that moves is two boxes: Leaving in one hold, Arriving in the other.
type Box struct {
	Replica string      // "web[2]"
	Memory  fleet.Bytes // reserved; 0 or less: none
	CPU     fleet.CPU   // likewise
	Mark    Mark        // what becomes of it
	Other   string      // with Arriving: the host that it comes from; with Leaving: the one that it goes to, empty: none
	Health  Health      // what it does now
	Facts   []string    // for the reader who points at it, a line each
}

// Mark is what becomes of a replica.
type Mark int

// The marks of a box.
const (
	Staying Mark = iota
	New
	Arriving // from Other
	Changing // replaced, changed or started again where it is
	Leaving  // to Other, or for good
	Waiting  // wanted, and without a place
)

// Health is what a replica does now.
type Health int

// The healths of a box.
const (
	Unsaid    Health = iota // nothing is said of it
	Healthy                 // runs, and its check passes where it has one
	Starting                // runs, and its check has not passed yet
	Unhealthy               // runs, and its check fails
	Stopped                 // does not run
	Unknown                 // its host did not answer
)

// names are the words of a mark, state or health: class is used in the SVG and never changes, word is for people.
type names struct{ class, word string }

var stateNames = [...]names{
	{"open", ""}, {"cordoned", "cordoned"}, {"drained", "drained"}, {"unreachable", "unreachable"}, {"lost", "lost"}, {"added", "new"},
}

var markNames = [...]names{
	{"staying", "stays"}, {"new", "new"}, {"arriving", "moves in"}, {"changing", "changes in place"}, {"leaving", "leaves"},
	{"waiting", "waits for a place"},
}

var healthNames = [...]names{
	{"", ""}, {"healthy", "healthy"}, {"starting", "starting"}, {"unhealthy", "unhealthy"}, {"stopped", "stopped"}, {"unknown", "not known"},
}

// A value outside the constants is taken as the first.
func (s State) names() names  { return named(stateNames[:], int(s)) }
func (m Mark) names() names   { return named(markNames[:], int(m)) }
func (h Health) names() names { return named(healthNames[:], int(h)) }

func named(of []names, i int) names {
	if i < 0 || i >= len(of) {
		i = 0
	}
	return of[i]
}
