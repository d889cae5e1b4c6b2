package state

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/stowage-run/stowage/fleet"
)

// The first part of every key: the kind of its record.
const (
	kindMeta     = "meta"
	kindLatest   = "latest"
	kindWorkload = "workload"
	kindSpec     = "spec"
	kindReplica  = "replica"
	kindVolume   = "volume"
	kindNetwork  = "network"
	kindHost     = "host"
	kindIntent   = "intent"
	kindDebt     = "debt"
	kindRollout  = "rollout"
	kindOverride = "override"
	kindOutput   = "output"
	kindRelease  = "release"
	kindPlan     = "plan"
)

// partsOf gives the number of parts after the kind; ok is false where the kind is none of ours.
func partsOf(kind string) (n int, ok bool) {
	switch kind {
	case kindMeta, kindLatest:
		return 0, true
	case kindReplica, kindVolume, kindNetwork:
		return 2, true
	case kindWorkload, kindSpec, kindHost, kindIntent, kindDebt, kindRollout, kindOverride, kindOutput, kindRelease, kindPlan:
		return 1, true
	}
	return 0, false
}

// digits is the width of numbers in keys: wide enough for 31 bits, so that numbers sort as text.
const digits = 10

// MetaKey is the key of the fleet's identity.
func MetaKey() Key { return kindMeta }

// LatestKey is the key of the number of the latest release. It saves a reader from reading the releases to learn it.
func LatestKey() Key { return kindLatest }

// WorkloadKey is the key of a workload as last applied.
func WorkloadKey(n fleet.WorkloadName) Key { return join(kindWorkload, string(n)) }

// SpecKey is the key of the spec with a revision.
func SpecKey(r fleet.Revision) Key { return join(kindSpec, string(r)) }

// ReplicaKey is the key of a replica.
func ReplicaKey(r fleet.ReplicaID) Key {
	return join(kindReplica, string(r.Workload)) + "/" + number(int(r.Slot))
}

// VolumeKey is the key of a volume, by its name on the engine.
func VolumeKey(h fleet.HostName, engine string) Key { return join(kindVolume, string(h), engine) }

// NetworkKey is the key of a network, by its name on the engine.
func NetworkKey(h fleet.HostName, engine string) Key { return join(kindNetwork, string(h), engine) }

// HostKey is the key of a host.
func HostKey(n fleet.HostName) Key { return join(kindHost, string(n)) }

// IntentKey is the key of an intent.
func IntentKey(op fleet.OpID) Key { return join(kindIntent, string(op)) }

// DebtKey is the key of what is owed to a host.
func DebtKey(h fleet.HostName) Key { return join(kindDebt, string(h)) }

// RolloutKey is the key of how a workload's latest change went out.
func RolloutKey(n fleet.WorkloadName) Key { return join(kindRollout, string(n)) }

// OverrideKey is the key of the number of replicas that a person has set for a workload.
func OverrideKey(n fleet.WorkloadName) Key { return join(kindOverride, string(n)) }

// OutputKey is the key of an output.
func OutputKey(name string) Key { return join(kindOutput, name) }

// ReleaseKey is the key of a release.
func ReleaseKey(n fleet.Release) Key { return kindRelease + "/" + number(int(n)) }

// PlanKey is the key of a plan that was carried out.
func PlanKey(id string) Key { return join(kindPlan, id) }

// number writes n so that numbers sort as text.
func number(n int) Key { return Key(fmt.Sprintf("%0*d", digits, n)) }

// join escapes the parts: names hold quotes, brackets and slashes.
func join(kind string, parts ...string) Key {
	var b strings.Builder
	b.WriteString(kind)
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(p))
	}
	return Key(b.String())
}

// Split returns the kind of the key's record and the names in the key, unescaped. It is an error where
// the key is none of ours.
func (k Key) Split() (kind string, parts []string, err error) {
	kind, rest, more := strings.Cut(string(k), "/")
	n, known := partsOf(kind)
	if more {
		parts = strings.Split(rest, "/")
	}
	if !known || len(parts) != n {
		return "", nil, fmt.Errorf("%q is not the key of a record", string(k))
	}
	for i, p := range parts {
		if parts[i], err = url.PathUnescape(p); err != nil {
			return "", nil, fmt.Errorf("key %q: %w", string(k), err)
		}
	}
	return kind, parts, nil
}

// Replica returns which replica's record the key is of; ok is false where it is another record's.
func (k Key) Replica() (r fleet.ReplicaID, ok bool) {
	kind, parts, err := k.Split()
	if err != nil || kind != kindReplica {
		return r, false
	}
	n, err := strconv.ParseUint(parts[1], 10, 31)
	if err != nil {
		return r, false
	}
	return fleet.ReplicaID{Workload: fleet.WorkloadName(parts[0]), Slot: fleet.Slot(n)}, true
}
