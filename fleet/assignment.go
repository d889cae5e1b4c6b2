package fleet

// Assignment is the result of scheduling: which replica on which host, and why not elsewhere.
// Every slice is sorted, so equal inputs give equal bytes.
type Assignment struct {
	Placed  []Placed  // by replica
	Refused []Refusal // by workload
	Loads   []Load    // by host, after the placement
}

// Placed is one replica's place.
type Placed struct {
	Replica   ReplicaID
	Host      HostName
	From      HostName          // where it stood before; empty: nowhere
	Reason    string            // why it moves or is new; empty: it stays
	HostPorts map[string]uint16 // by port name, for every published port
}

// Refusal says why replicas of a workload cannot be placed.
type Refusal struct {
	Workload WorkloadName
	Slots    []Slot
	Filters  []FilterCount // in the order in which they are tried
}

// FilterCount is how many hosts one filter kept a replica from, with detail for people:
// {2, "drained"}, {1, "needs 512MiB of memory; web1 has 210MiB free"}.
type FilterCount struct {
	Hosts  int
	Filter string
	Detail string
}

// Load is what a host has and what stands on it.
type Load struct {
	Host      HostName
	Capacity  Resources // less the reserve
	Before    Resources
	After     Resources
	Replicas  int  // after
	Unlimited bool // the capacity is not known
}
