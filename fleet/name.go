package fleet

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Name is the human name of a fleet, such as "shop". It begins every object's name on a host.
type Name string

// ID is the UUID of a fleet. It is made once, when the fleet's state is first written, and never changes.
// What does not carry it is not ours.
type ID string

// HostName names one host as the configuration does, without the leading "host.":
// `web1`, `edge["a"]` or `edge[0]`.
type HostName string

// WorkloadName names one workload without the leading "workload.": `web`, `api["a"]` or `api[0]`.
type WorkloadName string

// VolumeName names one declared volume without the leading "volume.".
type VolumeName string

// NetworkName names one declared network without the leading "network.".
type NetworkName string

// Slot is the number of a replica within its workload, counted from 0.
type Slot int

// Generation is the number of times a slot has been filled, counted from 1.
// With fleet, workload and slot it names a container.
type Generation int

// Release is the number of a release, counted from 1; 0 is "none yet".
type Release int

// OpID identifies one intent: the durable note of one remote mutation. It is a UUID.
type OpID string

// ReplicaID is one slot of one workload.
type ReplicaID struct {
	Workload WorkloadName `json:"workload"`
	Slot     Slot         `json:"slot"`
}

// Addr returns the replica's address, such as workload.web[2]; of a hook workload.web[pre_deploy].
func (r ReplicaID) Addr() Addr {
	return Addr("workload." + string(r.Workload) + "[" + r.Slot.String() + "]")
}

// AddrOf is Addr for a slot of an object that is a workload or a job.
func (r ReplicaID) AddrOf(a Addr) Addr { return a + Addr("["+r.Slot.String()+"]") }

// String is the slot's number, or the kind of its hook.
func (s Slot) String() string {
	if k, ok := s.Hook(); ok {
		return string(k)
	}
	return strconv.Itoa(int(s))
}

// String is Addr as a string.
func (r ReplicaID) String() string { return string(r.Addr()) }

// Compare orders replicas by workload, then slot.
func (r ReplicaID) Compare(o ReplicaID) int {
	if c := strings.Compare(string(r.Workload), string(o.Workload)); c != 0 {
		return c
	}
	return int(r.Slot) - int(o.Slot)
}

// Flat turns a configuration name with an instance key into one that engines accept in the names of
// their objects: `api["eu-1"]` becomes "api-eu-1". Two different names can become one; the
// configuration is checked for that.
func Flat(name string) string {
	if !strings.ContainsFunc(name, func(r rune) bool { return !plain(r) }) {
		return name // nearly always
	}
	var b strings.Builder
	for _, r := range name {
		switch {
		case plain(r):
			b.WriteRune(r)
		case r == '[':
			b.WriteByte('-')
		case r == '"', r == ']':
		default:
			b.WriteByte('_')
		}
	}
	return b.String()
}

// plain reports whether engines accept the letter in a name.
func plain(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.' || r == '-'
}

// ContainerName is the name of a replica's container on its host: <fleet>-<workload>-<slot>-g<generation>, with a hook's kind for its slot.
// An engine's refusal of a second container of one name makes a repeated create harmless.
func ContainerName(f Name, r ReplicaID, g Generation) string {
	return string(f) + "-" + Flat(string(r.Workload)) + "-" + r.Slot.String() + "-g" + strconv.Itoa(int(g))
}

// NetworkOn is the name of a declared network on each host that needs it: <fleet>-<network>.
func NetworkOn(f Name, n NetworkName) string { return string(f) + "-" + Flat(string(n)) }

// VolumeOn is the name of a declared volume on a host: <fleet>-<volume>, and for one made per replica
// <fleet>-<volume>-<workload>-<slot>.
func VolumeOn(f Name, v Volume, r ReplicaID) string {
	name := string(f) + "-" + Flat(string(v.Name))
	if v.PerReplica {
		name += fmt.Sprintf("-%s-%d", Flat(string(r.Workload)), r.Slot)
	}
	return name
}

// validName is what a fleet, and the label of a block, may look like: it becomes part of container
// names, which Docker limits to [a-zA-Z0-9][a-zA-Z0-9_.-]*, and of host names (63 bytes, RFC 1123).
var validName = regexp.MustCompile(`^[a-z0-9A-Z][a-zA-Z0-9_.-]{0,62}$`)

// ValidName reports whether s can be the name of a fleet or of a declared object.
func ValidName(s string) bool { return validName.MatchString(s) }
