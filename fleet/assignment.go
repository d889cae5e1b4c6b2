package fleet

// Assignment is the result of scheduling: which replica on which host, and why not elsewhere.
// Every slice is sorted, so equal inputs give equal bytes.
type Assignment struct {
	Placed    []Placed  // by replica
	Refused   []Refusal // by workload, then first slot
	Displaced []Gone    // by replica: refused too, and to be removed now, since something of higher priority takes their room
	Gone      []Gone    // by replica
	Loads     []Load    // by host, after the placement
}

// Placed is one replica's place.
type Placed struct {
	Replica   ReplicaID
	Host      HostName
	From      HostName          // where it stood before; empty: nowhere
	Reason    string            // why it moves, is new or changes a host port (From is Host then); empty: it stays
	HostPorts map[string]uint16 // by port name, for every published port
}

// Gone is a replica that stands now and is to be removed: no longer wanted, or displaced. One that is refused and not
// displaced is not gone: what stands of it is to be left alone.
type Gone struct {
	Replica ReplicaID
	Host    HostName
	Reason  string // for people: `replicas is now 2`
}

// Refusal says why replicas of a workload cannot be placed. A workload has one for each group of slots
// that are refused for the same reasons.
type Refusal struct {
	Workload WorkloadName
	Slots    []Slot
	Filters  []FilterCount // in the order in which they are tried

	// Outranked says that there would be a place, were it not for replicas of higher priority. Such a refusal is no
	// mistake of the configuration: the replicas wait for room.
	Outranked bool
}

// FilterCount is how many hosts one filter kept a replica from, with detail for people:
// {2, "drained", "web1, web2"}, {1, "short of memory", "web3 has 210MiB of 2GiB free, api needs 512MiB"}.
type FilterCount struct {
	Hosts  int
	Filter string
	Detail string
}

// Load is what a host has and what stands on it.
type Load struct {
	Host      HostName  `json:"host"`
	Capacity  Resources `json:"capacity,omitzero"` // less the reserve
	Before    Resources `json:"before"`
	After     Resources `json:"after"`
	Replicas  int       `json:"replicas"`            // after
	Unlimited bool      `json:"unlimited,omitempty"` // the capacity is not known
}

// Why is what speaks for and against each host for one replica, with all others where they will be.
type Why struct {
	Replica ReplicaID
	Host    HostName      // where it will be; empty: nowhere
	From    HostName      // where it stands now; empty: nowhere
	Reason  string        // why it moves or is new; empty: it stays, as nothing moves without a reason
	Filters []FilterCount // the hosts that do not take it
	Scores  []Score       // the hosts that take it, best first; only the first few where there are many
	Fitting int           // how many take it
}

// Score is how good one host is for a replica. Terms are compared in order, and the first that differs decides.
type Score struct {
	Host  HostName
	Terms []Term // of the same names in the same order for every host
}

// Term is one reason for which one host is better than another.
type Term struct {
	Name  string // "zone=eu-a", "affinity", "replicas of web here", "load"
	Value string // "2 replicas", "+50 (disk = ssd)", "37%"
}

// Survival says what the loss of one host, or of all with one value of a spread label, would do to a placement.
type Survival struct {
	Hosts  int      `json:"hosts"`            // whose loss was tried, one by one
	Labels []string `json:"labels,omitempty"` // whose values were tried: those that some workload spreads over; sorted
	Losses []Loss   `json:"losses,omitempty"` // that the fleet does not survive: single hosts by name first, then labels and values
}

// Loss is a loss that the fleet does not survive whole.
type Loss struct {
	Label   string         `json:"label,omitempty"` // empty: of a single host
	Value   string         `json:"value,omitempty"`
	Hosts   []HostName     `json:"hosts"`             // what is lost; sorted
	Refused []Refusal      `json:"refused,omitempty"` // what would have no place
	Down    []WorkloadName `json:"down,omitempty"`    // what would have no healthy replica left until it is placed again; sorted
}

// SurvivesAnyHost reports whether everything would go on, with at least one healthy replica of each workload throughout,
// whichever single host is lost.
func (s Survival) SurvivesAnyHost() bool { return s.survives("") }

// SurvivesAny reports the same of the values of a spread label. ok is false for a label that was not tried.
func (s Survival) SurvivesAny(label string) (survives, ok bool) {
	for _, l := range s.Labels {
		if l == label {
			return s.survives(label), true
		}
	}
	return false, false
}

func (s Survival) survives(label string) bool {
	for _, l := range s.Losses {
		if l.Label == label {
			return false
		}
	}
	return true
}
