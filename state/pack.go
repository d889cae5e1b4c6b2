package state

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/stowage-run/stowage/fleet"
)

// A replica's body is its fields in the order below, numbers as varints and strings after their length.
// Ten thousand of them are read at every plan, and encoding/json takes twelve times as long (150 ms on a machine that
// takes 12 for this).

// packReplica writes a replica.
func packReplica(r Replica) []byte {
	b := make([]byte, 0, 256)
	b = packString(b, string(r.Replica.Workload))
	b = binary.AppendVarint(b, int64(r.Replica.Slot))
	b = binary.AppendVarint(b, int64(r.Generation))
	b = packString(b, string(r.Host))
	b = packString(b, r.Container)
	b = packString(b, string(r.Revision))
	b = binary.AppendVarint(b, int64(r.Release))
	b = binary.AppendVarint(b, r.Changed.Unix())
	b = binary.AppendVarint(b, int64(r.Changed.Nanosecond()))
	b = binary.AppendVarint(b, int64(len(r.HostPorts)))
	for _, name := range slices.Sorted(maps.Keys(r.HostPorts)) {
		b = packString(b, name)
		b = binary.AppendVarint(b, int64(r.HostPorts[name]))
	}
	ran := r.Failed != 0 || !r.Counted.IsZero()
	if r.Reason != "" || r.Proven || r.Last != 0 || ran { // a record without these may end here
		b = packString(b, r.Reason)
		b = binary.AppendVarint(b, boolInt(r.Proven))
		b = binary.AppendVarint(b, int64(r.Last))
	}
	if ran { // or here
		b = binary.AppendVarint(b, int64(r.Failed))
		b = binary.AppendVarint(b, r.Counted.Unix())
		b = binary.AppendVarint(b, int64(r.Counted.Nanosecond()))
	}
	return b
}

func boolInt(v bool) int64 {
	if v {
		return 1
	}
	return 0
}

// packString writes a string.
func packString(b []byte, s string) []byte {
	b = binary.AppendVarint(b, int64(len(s)))
	return append(b, s...)
}

// unpackReplica is packReplica's inverse. Times come back in UTC. All strings share one copy of the body.
func unpackReplica(body []byte) (r Replica, err error) {
	u := unpacker{bytes: body, text: string(body)}
	r.Replica.Workload = fleet.WorkloadName(u.string())
	r.Replica.Slot = fleet.Slot(u.int())
	r.Generation = fleet.Generation(u.int())
	r.Host = fleet.HostName(u.string())
	r.Container = u.string()
	r.Revision = fleet.Revision(u.string())
	r.Release = fleet.Release(u.int())
	sec, nsec := u.int(), u.int()
	r.Changed = time.Unix(sec, nsec).UTC()
	n := u.int()
	if n < 0 || n > int64(len(body)) {
		return r, errPacked
	}
	if n > 0 {
		r.HostPorts = make(map[string]uint16, n)
	}
	for range n {
		name := u.string()
		r.HostPorts[name] = uint16(u.int())
	}
	if len(u.bytes) > 0 {
		r.Reason = u.string()
		r.Proven = u.int() == 1
		r.Last = fleet.Generation(u.int())
	}
	if len(u.bytes) > 0 {
		r.Failed = int(u.int())
		sec, nsec := u.int(), u.int()
		r.Counted = time.Unix(sec, nsec).UTC()
	}
	if u.bad || len(u.bytes) != 0 {
		return r, errPacked
	}
	return r, nil
}

var errPacked = errors.New("the replica's fields do not add up")

// unpacker reads varints and strings. After a mistake it gives zeros and bad is set. bytes and text
// are the same rest.
type unpacker struct {
	bytes []byte
	text  string
	bad   bool
}

func (u *unpacker) int() int64 {
	v, n := binary.Varint(u.bytes)
	if n <= 0 {
		u.bad = true
		return 0
	}
	u.skip(n)
	return v
}

func (u *unpacker) string() string {
	n := u.int()
	if n < 0 || n > int64(len(u.bytes)) {
		u.bad = true
		return ""
	}
	s := u.text[:n]
	u.skip(int(n))
	return s
}

func (u *unpacker) skip(n int) { u.bytes, u.text = u.bytes[n:], u.text[n:] }
