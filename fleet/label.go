package fleet

import (
	"errors"
	"fmt"
	"strconv"
)

// The labels on everything that Stowage makes. LabelFleet is what makes an object ours.
const (
	LabelFleet      = "stowage.fleet"      // ID
	LabelWorkload   = "stowage.workload"   // WorkloadName
	LabelSlot       = "stowage.slot"       // Slot
	LabelGeneration = "stowage.generation" // Generation
	LabelRevision   = "stowage.revision"   // Revision, when the container was made
	LabelRelease    = "stowage.release"    // Release that made it
	LabelOp         = "stowage.op"         // OpID of the intent that made it
	LabelObject     = "stowage.object"     // Addr of a volume or network
)

// LabelPrefix begins every label that belongs to Stowage; configuration may not set one.
const LabelPrefix = "stowage."

// Labels returns the labels of the instance's container, the workload's own included.
func (i Instance) Labels(s Spec, op OpID) map[string]string {
	m := make(map[string]string, len(s.Labels)+7)
	for k, v := range s.Labels {
		m[k] = v
	}
	m[LabelFleet] = string(i.Fleet)
	m[LabelWorkload] = string(i.Replica.Workload)
	m[LabelSlot] = strconv.Itoa(int(i.Replica.Slot))
	m[LabelGeneration] = strconv.Itoa(int(i.Generation))
	m[LabelRevision] = string(i.Revision)
	m[LabelRelease] = strconv.Itoa(int(i.Release))
	m[LabelOp] = string(op)
	if k, ok := i.Replica.Slot.Hook(); ok {
		m[LabelHook] = string(k)
	}
	return m
}

// ObjectLabels returns the labels of a volume or network of fleet f.
func ObjectLabels(f ID, a Addr) map[string]string {
	return map[string]string{LabelFleet: string(f), LabelObject: string(a)}
}

// Identity is what the labels of a container say it is.
type Identity struct {
	Fleet      ID         `json:"fleet"`
	Replica    ReplicaID  `json:"replica"`
	Generation Generation `json:"generation"`
	Revision   Revision   `json:"revision"`
	Release    Release    `json:"release"`
	Op         OpID       `json:"op"`
}

// ErrNotOurs is returned for labels without a fleet.
var ErrNotOurs = errors.New("no stowage.fleet label")

// ParseLabels reads a container's identity back from its labels: ErrNotOurs where there is no fleet,
// another error where there is one and the rest is damaged.
func ParseLabels(m map[string]string) (Identity, error) {
	id := Identity{
		Fleet:    ID(m[LabelFleet]),
		Revision: Revision(m[LabelRevision]),
		Op:       OpID(m[LabelOp]),
	}
	if id.Fleet == "" {
		return id, ErrNotOurs
	}
	id.Replica.Workload = WorkloadName(m[LabelWorkload])
	if id.Replica.Workload == "" {
		return id, fmt.Errorf("label %s is missing", LabelWorkload)
	}
	for _, f := range []struct {
		label string
		set   func(int)
	}{
		{LabelSlot, func(n int) { id.Replica.Slot = Slot(n) }},
		{LabelGeneration, func(n int) { id.Generation = Generation(n) }},
		{LabelRelease, func(n int) { id.Release = Release(n) }},
	} {
		n, err := strconv.ParseUint(m[f.label], 10, 31)
		if err != nil {
			return id, fmt.Errorf("label %s is %q, wanted a number", f.label, m[f.label])
		}
		f.set(int(n))
	}
	return id, nil
}
