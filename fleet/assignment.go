package fleet

// Assignment is the result of scheduling: which replica on which host, and why not elsewhere.
// Every slice is sorted, so equal inputs give equal bytes.
type Assignment struct {
	Placed  []Placed  // by replica
	Refused []Refusal // by workload, then first slot
	Gone    []Gone    // by replica
	Loads   []Load    // by host, after the placement
}

// Placed is one replica's place.
type Placed struct {
	Replica   ReplicaID
	Host      HostName
	From      HostName          // where it stood before; empty: nowhere
	Reason    string            // why it moves, is new or changes a host port (From is Host then); empty: it stays
	HostPorts map[string]uint16 // by port name, for every published port
}

// Gone is a replica that stands now and is no longer wanted. A refused one is not gone: what stands of
// it is to be left alone.
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
