package state

import (
	"time"

	"github.com/stowage-run/stowage/fleet"
)

// Meta is the fleet's identity. It is written once, at the fleet's first plan.
type Meta struct {
	ID      fleet.ID   `json:"id"`
	Name    fleet.Name `json:"name"`
	SealKey []byte     `json:"seal_key"` // 32 random bytes: the key of every fingerprint
	Created time.Time  `json:"created"`
}

// Replica is what is recorded of one slot. The slot is vacant where Container is empty: its last
// container is gone and the next is not there yet.
type Replica struct {
	Replica    fleet.ReplicaID   `json:"replica"`
	Generation fleet.Generation  `json:"generation"`     // of the last container
	Last       fleet.Generation  `json:"last,omitempty"` // the highest that was used, where that is another: it was taken back
	Host       fleet.HostName    `json:"host"`
	Container  string            `json:"container,omitempty"` // the engine's id
	Revision   fleet.Revision    `json:"revision"`            // of the spec last sent
	HostPorts  map[string]uint16 `json:"host_ports,omitempty"`
	Release    fleet.Release     `json:"release"`
	Proven     bool              `json:"proven,omitempty"` // its last container has passed the gate of its rollout; of a job: it has completed
	Reason     string            `json:"reason,omitempty"` // why its last container was made where it is, for people
	Changed    time.Time         `json:"changed"`

	// Of a job, the runs of its last container that have failed, and when the last of these was started, as its engine says: so a
	// run is counted once, whoever looks at it.
	Failed  int       `json:"failed,omitempty"`
	Counted time.Time `json:"counted,omitzero"`
}

// Volume is a volume that was made on a host. Replica is set for a per-replica one.
type Volume struct {
	Name           fleet.VolumeName `json:"name"`
	Host           fleet.HostName   `json:"host"`
	Engine         string           `json:"engine"` // its name there
	Driver         string           `json:"driver"`
	Replica        *fleet.ReplicaID `json:"replica,omitempty"`
	PreventDestroy bool             `json:"prevent_destroy,omitempty"`
}

// Network is a network that was made on a host.
type Network struct {
	Name   fleet.NetworkName `json:"name"`
	Host   fleet.HostName    `json:"host"`
	Engine string            `json:"engine"` // its name there
	Driver string            `json:"driver"`
}

// Host is how a host with something of ours on it is reached, kept for the day when it is no longer declared.
type Host struct {
	Host     fleet.Host `json:"host"`
	EngineID string     `json:"engine_id"` // as last seen
}

// Intent is the durable note that a step is about to be sent. One that is still there when nobody holds
// the lock belongs to a run that was cut off; its host is looked at to learn how it ended.
type Intent struct {
	Op         fleet.OpID       `json:"op"`
	Plan       string           `json:"plan"`
	Step       int              `json:"step"`
	Kind       string           `json:"kind"` // plan.Kind
	Host       fleet.HostName   `json:"host"`
	Addr       fleet.Addr       `json:"addr"`
	Object     string           `json:"object,omitempty"` // the container's, volume's or network's name
	Generation fleet.Generation `json:"generation,omitempty"`
	Revision   fleet.Revision   `json:"revision,omitempty"`
	Started    time.Time        `json:"started"`
}

// Debt is what is owed to a host that could not be reached.
type Debt struct {
	Host    fleet.HostName `json:"host"`
	Why     string         `json:"why"`
	Since   time.Time      `json:"since"`
	Release fleet.Release  `json:"release"`
	Steps   []string       `json:"steps"` // for people, one line each; at most 100
	More    int            `json:"more,omitempty"`
}

// Release is an immutable snapshot of the whole desired fleet.
type Release struct {
	Number fleet.Release `json:"number"`
	Plan   string        `json:"plan"`
	Made   time.Time     `json:"made"`
	Who    string        `json:"who"`
	Why    string        `json:"why"` // "apply", "destroy", ...
	Config string        `json:"config"`
	Commit string        `json:"commit,omitempty"`
	Fleet  fleet.Fleet   `json:"fleet"` // images pinned; sensitive outputs without value
}

// PlanResult is how an applied plan ended.
type PlanResult string

// The results of a plan.
const (
	PlanRunning     PlanResult = "running" // or cut off
	PlanDone        PlanResult = "done"
	PlanFailed      PlanResult = "failed"
	PlanPartly      PlanResult = "partly"      // debt was recorded
	PlanInterrupted PlanResult = "interrupted" // by a person
)

// PlanRecord is one plan that was carried out: the log of what was done, why and by whom. Its existence
// is what makes a saved plan run once.
type PlanRecord struct {
	ID      string        `json:"id"`
	Release fleet.Release `json:"release"`
	Trigger string        `json:"trigger"` // "apply", "destroy", ...
	Who     string        `json:"who"`
	Started time.Time     `json:"started"`
	Ended   time.Time     `json:"ended,omitzero"`
	Result  PlanResult    `json:"result"`
	Summary string        `json:"summary"`          // "2 to add, 1 to change, 0 to destroy"
	Errors  []string      `json:"errors,omitempty"` // at most 20
}

// Snapshot is everything recorded of a fleet at one moment. It is read-only: slices and maps are
// shared between copies.
type Snapshot struct {
	Serial    Serial
	Meta      Meta                                  // zero: nothing was ever recorded
	Workloads map[fleet.WorkloadName]fleet.Workload // as last applied, pinned
	Specs     map[fleet.Revision]fleet.Spec         // of every revision that a replica has
	Replicas  map[fleet.ReplicaID]Replica
	Volumes   []Volume  // sorted by host, then name on the engine
	Networks  []Network // likewise
	Hosts     map[fleet.HostName]Host
	Intents   []Intent // sorted by start
	Debts     []Debt   // sorted by host
	Rollouts  map[fleet.WorkloadName]Rollout
	Overrides map[fleet.WorkloadName]Override // also those that are no longer in force
	Outputs   map[string]fleet.Output
	Release   fleet.Release // the latest; 0: none

	// Serials is the serial of each record read, for guards.
	Serials map[Key]Serial
}

// Empty reports whether nothing was ever applied.
func (s *Snapshot) Empty() bool {
	return s.Release == 0 && len(s.Replicas) == 0 && len(s.Volumes) == 0 && len(s.Networks) == 0
}
