package fleet

import "time"

// Mode says how many replicas a workload has.
type Mode string

// The modes of a workload.
const (
	Replicated Mode = "replicated" // Replicas of them
	Global     Mode = "global"     // one on each eligible host
)

// PullPolicy says where an image may come from.
type PullPolicy string

// The pull policies.
const (
	PullMissing PullPolicy = "missing" // what the hosts have of the tag; a host that lacks it gets it
	PullAlways  PullPolicy = "always"  // the registry is asked at every plan
	PullNever   PullPolicy = "never"   // a host that lacks it fails
)

// Workload is a kind of container to keep running, with a replica count.
//
// Spec is all that a container is made from; the other fields direct Stowage and are never sent to an engine.
type Workload struct {
	Name        WorkloadName  `json:"name"`
	Mode        Mode          `json:"mode"`
	Replicas    int           `json:"replicas"` // 0 in global mode
	Spec        Spec          `json:"spec"`
	PullPolicy  PullPolicy    `json:"pull_policy"`
	Reserve     Resources     `json:"reserve,omitzero"` // counted against a host's capacity
	StopTimeout time.Duration `json:"stop_timeout"`     // between the stop signal and the kill
	Placement   Placement     `json:"placement,omitzero"`
	Exclusive   bool          `json:"exclusive,omitempty"` // never two of a slot at once: what stood on a lost host waits for it
	Health      Healthcheck   `json:"health,omitzero"`
	Update      Update        `json:"update,omitzero"`
	Hooks       []Hook        `json:"hooks,omitempty"`      // sorted by kind
	Job         *Job          `json:"job,omitempty"`        // nil: it is kept running
	DependsOn   []Addr        `json:"depends_on,omitempty"` // sorted
}

// Addr is the workload's address: workload.web, and job.migrate for one that runs to completion. Both kinds share one name
// space, since containers are named after the name alone.
func (w *Workload) Addr() Addr {
	if w.Job != nil {
		return JobAddr(w.Name)
	}
	return WorkloadAddr(w.Name)
}

// Volume is a declared volume. It is made on each host that needs it and never deleted without being named.
type Volume struct {
	Name           VolumeName        `json:"name"`
	Driver         string            `json:"driver"`
	Options        map[string]string `json:"options,omitempty"`
	PerReplica     bool              `json:"per_replica,omitempty"`
	PreventDestroy bool              `json:"prevent_destroy,omitempty"`
}

// Network is a declared network, made on each host that needs it.
type Network struct {
	Name   NetworkName `json:"name"`
	Driver string      `json:"driver"`
}

// Output is one declared output. Value is JSON; for a sensitive output it is empty wherever it is stored.
type Output struct {
	Name        string `json:"name"`
	Description string `json:"description,omitempty"`
	Sensitive   bool   `json:"sensitive,omitempty"`
	Unknown     bool   `json:"unknown,omitempty"` // not known until apply; Value is empty then
	Value       []byte `json:"value,omitempty"`
}

// Fleet is everything that one configuration declares. Every slice is sorted by name.
type Fleet struct {
	Name      Name       `json:"name"`
	Hosts     []Host     `json:"hosts,omitempty"`
	Workloads []Workload `json:"workloads,omitempty"`
	Volumes   []Volume   `json:"volumes,omitempty"`
	Networks  []Network  `json:"networks,omitempty"`
	Outputs   []Output   `json:"outputs,omitempty"`
}
