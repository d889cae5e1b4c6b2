package fleet

import (
	"fmt"
	"strconv"
	"strings"
)

// Addr is the address of a declared object or of a replica, as people type it:
// host.web1, host.edge["a"], workload.web, workload.web[2], job.migrate, volume.data, network.app.
//
// For a workload declared with count or for_each the instance key comes first:
// workload.api["a"][2] is slot 2 of the instance "a".
type Addr string

// Kind is the first word of an address.
type Kind string

// The kinds of objects that have addresses.
const (
	KindHost     Kind = "host"
	KindWorkload Kind = "workload"
	KindJob      Kind = "job" // a workload that runs to completion
	KindVolume   Kind = "volume"
	KindNetwork  Kind = "network"
	KindOutput   Kind = "output"
)

// HostAddr returns the address of a host.
func HostAddr(n HostName) Addr { return Addr("host." + string(n)) }

// WorkloadAddr returns the address of a workload.
func WorkloadAddr(n WorkloadName) Addr { return Addr("workload." + string(n)) }

// JobAddr returns the address of a job.
func JobAddr(n WorkloadName) Addr { return Addr("job." + string(n)) }

// VolumeAddr returns the address of a volume.
func VolumeAddr(n VolumeName) Addr { return Addr("volume." + string(n)) }

// NetworkAddr returns the address of a network.
func NetworkAddr(n NetworkName) Addr { return Addr("network." + string(n)) }

// Kind returns the address's first word.
func (a Addr) Kind() Kind {
	k, _, _ := strings.Cut(string(a), ".")
	return Kind(k)
}

// Name returns what follows the kind: `web[2]` of workload.web[2].
func (a Addr) Name() string {
	_, n, _ := strings.Cut(string(a), ".")
	return n
}

// ParseAddr checks the form of an address typed by a person.
func ParseAddr(s string) (Addr, error) {
	kind, rest, ok := strings.Cut(s, ".")
	if !ok || rest == "" {
		return "", fmt.Errorf("%q is not an address: write it as host.web1, workload.web or workload.web[2]", s)
	}
	switch Kind(kind) {
	case KindHost, KindWorkload, KindJob, KindVolume, KindNetwork, KindOutput:
	default:
		return "", fmt.Errorf("%q is not an address: %q is none of host, workload, job, volume, network", s, kind)
	}
	base, keys, keyed := strings.Cut(rest, "[")
	if !ValidName(base) {
		return "", fmt.Errorf("%q is not an address: %q is not a name", s, base)
	}
	if keyed && !validKeys("["+keys) {
		return "", fmt.Errorf("%q is not an address: an index is written [2], a key [\"a\"]", s)
	}
	return Addr(s), nil
}

// validKeys reports whether s is one or two of [n] and ["key"].
func validKeys(s string) bool {
	for n := 0; s != ""; n++ {
		end := strings.IndexByte(s, ']')
		if n == 2 || s[0] != '[' || end < 2 {
			return false
		}
		if strings.HasPrefix(s, `["`) {
			end = strings.Index(s, `"]`)
			if end < 2 {
				return false
			}
			s = s[end+2:]
			continue
		}
		if _, err := strconv.ParseUint(s[1:end], 10, 31); err != nil {
			return false
		}
		s = s[end+1:]
	}
	return true
}

// Replica splits the address of a replica, of a job as well, into workload and slot. ok is false where the address does
// not end in a slot number; workload.api[0] is read as slot 0 of api, so callers that know of
// workloads made with count try the address as a workload's first.
func (a Addr) Replica() (r ReplicaID, ok bool) {
	name := a.Name()
	open := strings.LastIndexByte(name, '[')
	if a.Kind() != KindWorkload && a.Kind() != KindJob || open < 1 || !strings.HasSuffix(name, "]") {
		return r, false
	}
	in := name[open+1 : len(name)-1]
	if h := HookKind(in).Slot(); h >= 0 {
		return ReplicaID{WorkloadName(name[:open]), h}, true
	}
	n, err := strconv.ParseUint(in, 10, 31)
	if err != nil {
		return r, false
	}
	return ReplicaID{WorkloadName(name[:open]), Slot(n)}, true
}

// Covers reports whether a, given as a target, takes in b: the same object, an instance of it, or a
// replica of it. workload.web covers workload.web[2]; workload.web does not cover workload.web2.
func (a Addr) Covers(b Addr) bool {
	return a == b || strings.HasPrefix(string(b), string(a)+"[")
}
